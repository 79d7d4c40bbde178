// Response messages as the contract's JSON: snake_case, 64-bit numbers as strings, enums in lower case, every field there.
// The loaded messages already have all of that but the enums.

const ENUM_FIELDS = new Set(['status', 'lifecycle', 'role', 'kind']);
/** Free text of clients: keys that look like a field of ours mean nothing there. */
const MAPS = new Set(['metadata', 'ports', 'headers']);

export function jsonForm(message: unknown): unknown {
  if (Array.isArray(message)) return message.map(jsonForm);
  if (typeof message !== 'object' || message === null) return message;
  return Object.fromEntries(
    Object.entries(message).map(([key, value]: [string, unknown]) => {
      if (MAPS.has(key)) return [key, value];
      if (ENUM_FIELDS.has(key) && typeof value === 'string') return [key, value.toLowerCase()];
      if (key === 'failures' && Array.isArray(value)) return [key, value.map(failureForm)];
      return [key, jsonForm(value)];
    }),
  );
}

/** BeatFailure.reason is an enum, where the reason of a change is free text. */
function failureForm(failure: unknown): unknown {
  const { reason } = failure as { readonly reason: string };
  return { ...(failure as object), reason: reason.toLowerCase() };
}

/** One line, for --json. */
export const jsonLine = (message: unknown): string => JSON.stringify(jsonForm(message));
