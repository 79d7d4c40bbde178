// Seeded generator (sfc32). Every random decision of the pure core and of the simulator draws from one of these, so
// the same seed and inputs give the same outputs on every machine.

/** A seeded source of uniform numbers. Not for secrets. */
export interface Random {
  /** A uniform number in [0, 1). */
  next(): number;
  /** A uniform integer in [from, below). */
  integer(from: number, below: number): number;
}

/** sfc32 seeded from one 32-bit integer. */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = seed | 0;
  let d = 1;
  const draw = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 4294967296;
  };
  for (let warmUp = 0; warmUp < 12; warmUp++) draw();
  return {
    next: draw,
    integer: (from, below) => from + Math.floor(draw() * (below - from)),
  };
}
