// Numbers in sentences for people.

/** "1 instance", "2 instances", "0 instances": of nouns that take an s. */
export const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;
