// power-cut MOUNTPOINT: stops an ext4 as a power failure does. What is not on the medium by now never gets there: neither
// dirty pages nor the part of the journal that is not yet committed. The file system answers EIO until it is mounted again.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

// EXT4_IOC_SHUTDOWN and EXT4_GOING_FLAGS_NOLOGFLUSH, which no header of the C library has.
#define SHUTDOWN _IOR('X', 125, uint32_t)
#define NO_LOG_FLUSH 2

int main(int count, char **words) {
  if (count != 2) {
    fprintf(stderr, "usage: power-cut MOUNTPOINT\n");
    return 2;
  }
  uint32_t how = NO_LOG_FLUSH;
  int root = open(words[1], O_RDONLY | O_DIRECTORY);
  if (root < 0 || ioctl(root, SHUTDOWN, &how) != 0) {
    perror(words[1]);
    return 1;
  }
  return 0;
}
