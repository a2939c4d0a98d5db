import type { ConnectionReason } from "../ConnectionError.ts"

/** What was thrown, if it is a reason, and not a bug. */
export const reasonOf = (thrown: unknown): ConnectionReason | undefined =>
  typeof thrown === "object" && thrown !== null && "_tag" in thrown && !(thrown instanceof Error)
    ? thrown as ConnectionReason
    : undefined
