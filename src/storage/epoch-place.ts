// Where a new cluster epoch is built, inside the data-dir that it is for. Without an identity beside it, it is half way in.

export const EPOCH_BUILT = 'epoch.new';
