// Preloaded into a server: adds an offset to its wall clock, and makes its synced writes wait, or fail. All follow a page that
// is shared with the harness (CHAOS_CONTROL), so they change while the server runs and cost nothing while they are 0.
// Monotonic clocks are left alone, as are writes that nobody asked to be synced.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// The harness writes the first two and fails_writes, and reads the others; test/chaos/arena/control-page.ts has the same order.
struct control {
  _Atomic int64_t wall_offset_ns;
  _Atomic int64_t sync_delay_us;
  // How often the wall clock was read, and what was added the last time.
  _Atomic int64_t wall_reads;
  _Atomic int64_t wall_served_offset_ns;
  // Synced writes and syncs that were made to wait.
  _Atomic int64_t delayed_syncs;
  // Not 0: synced writes and syncs end with EIO, as on a medium that is broken; how many did.
  _Atomic int64_t fails_writes;
  _Atomic int64_t failed_writes;
};

static struct control none;
static struct control *control = &none;

#define SECOND_NS 1000000000LL

__attribute__((constructor)) static void attach(void) {
  const char *path = getenv("CHAOS_CONTROL");
  int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void *page = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (page != MAP_FAILED) control = page;
  close(file);
}

// The library's own function, found at the first call: a call may come before the constructor above.
#define NEXT(type, name)                                                   \
  static type(*next);                                                      \
  if (next == NULL) next = (type(*))dlsym(RTLD_NEXT, name)

static void shift(struct timespec *now) {
  int64_t offset = control->wall_offset_ns;
  int64_t nanoseconds = now->tv_nsec + offset % SECOND_NS;
  now->tv_sec += offset / SECOND_NS;
  if (nanoseconds < 0) {
    nanoseconds += SECOND_NS;
    now->tv_sec -= 1;
  } else if (nanoseconds >= SECOND_NS) {
    nanoseconds -= SECOND_NS;
    now->tv_sec += 1;
  }
  now->tv_nsec = nanoseconds;
  control->wall_served_offset_ns = offset;
  control->wall_reads += 1;
}

typedef int read_clock(clockid_t, struct timespec *);

int clock_gettime(clockid_t clock, struct timespec *now) {
  NEXT(read_clock, "clock_gettime");
  int result = next == NULL ? (int)syscall(SYS_clock_gettime, clock, now) : next(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) shift(now);
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec precise;
  if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return -1;
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *copy) {
  struct timespec precise;
  if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return -1;
  if (copy != NULL) *copy = precise.tv_sec;
  return precise.tv_sec;
}

static void wait_for_disk(void) {
  int64_t delay = control->sync_delay_us;
  if (delay <= 0) return;
  control->delayed_syncs += 1;
  struct timespec left = {delay / 1000000, delay % 1000000 * 1000};
  while (nanosleep(&left, &left) != 0) continue;
}

static int fails(void) {
  if (control->fails_writes == 0) return 0;
  control->failed_writes += 1;
  errno = EIO;
  return 1;
}

// Waits, and says whether it fails, where the file was opened with O_DSYNC or O_SYNC, which is how the log is written.
static int fails_if_synced(int file) {
  if (control->sync_delay_us <= 0 && control->fails_writes == 0) return 0;
  int flags = fcntl(file, F_GETFL);
  if (flags < 0 || (flags & O_DSYNC) == 0) return 0;
  wait_for_disk();
  return fails();
}

typedef int sync_file(int);
typedef ssize_t write_bytes(int, const void *, size_t);
typedef ssize_t write_at(int, const void *, size_t, off64_t);
typedef ssize_t write_parts(int, const struct iovec *, int, off64_t);

int fsync(int file) {
  NEXT(sync_file, "fsync");
  wait_for_disk();
  return fails() ? -1 : next(file);
}

int fdatasync(int file) {
  NEXT(sync_file, "fdatasync");
  wait_for_disk();
  return fails() ? -1 : next(file);
}

ssize_t write(int file, const void *bytes, size_t length) {
  NEXT(write_bytes, "write");
  if (fails_if_synced(file)) return -1;
  return next(file, bytes, length);
}

// On 64-bit hosts the two names of each are one function.
ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
  NEXT(write_at, "pwrite64");
  if (fails_if_synced(file)) return -1;
  return next(file, bytes, length, at);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) {
  return pwrite64(file, bytes, length, at);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at) {
  NEXT(write_parts, "pwritev64");
  if (fails_if_synced(file)) return -1;
  return next(file, parts, count, at);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) {
  return pwritev64(file, parts, count, at);
}
