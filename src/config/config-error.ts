// What is wrong with flags, variables, files or arguments: the command ends with exit code 2 and this one line.

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
