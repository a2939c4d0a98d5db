/** How a connection ended, in a line. */
import type { Outcome } from "@wirestack/protocol/Outcome"

const who = { local: "closed by us", remote: "closed by the peer", none: "cut" }

export const outcomeLine = ({ clean, error, first, layers, received, sent, undelivered, unsent }: Outcome): string => {
  const status = first === "remote" ? received : sent
  const code = status === undefined ? "" : ` with ${status.code}${status.reason === "" ? "" : ` (${status.reason})`}`
  const late = layers.filter(({ settled }) => !settled).map(({ layer }) => layer)
  return [
    `${who[first]}${code}`,
    ...error === undefined ? [] : [error.message],
    ...clean || late.length === 0 ? [] : [`no goodbye of ${late.join(" and ")}`],
    ...unsent.messages === 0 && unsent.bytes === 0 ? [] : [`${unsent.messages} messages, ${unsent.bytes} bytes unsent`],
    ...undelivered === 0 ? [] : [`${undelivered} messages not taken`]
  ].join("; ")
}
