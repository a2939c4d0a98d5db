import { Violation } from "@wirestack/protocol/Reason"

/** A rule that the server broke. */
export const violation = (rule: string) => new Violation({ rule, section: "NATS client protocol" })
