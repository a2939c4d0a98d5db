/** Why something failed, in a line that a table has room for. */
export const reason = (error: unknown): string => {
  const [first] = (error instanceof Error ? error.message : String(error)).split(/\r?\n/)
  return first.length > 100 ? `${first.slice(0, 99)}…` : first
}
