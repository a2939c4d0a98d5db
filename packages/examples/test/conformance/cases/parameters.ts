/** 13: the parameters of permessage-deflate in every combination (RFC 7692 section 7.1). */
import { format, type Parameters } from "../Deflate.ts"
import { binary, text } from "../Frame.ts"
import { json, noise, picture, prose } from "../Samples.ts"
import { type Case, numbered } from "./Case.ts"

const flags = [false, true]

const combinations: ReadonlyArray<Parameters> = flags.flatMap((serverNoContextTakeover) =>
  flags.flatMap((clientNoContextTakeover) =>
    [undefined, 8, 9, 15].flatMap((server) =>
      ([undefined, true, 8, 9, 15] as const).map((client) => ({
        serverNoContextTakeover,
        clientNoContextTakeover,
        ...server === undefined ? undefined : { serverMaxWindowBits: server },
        ...client === undefined ? undefined : { clientMaxWindowBits: client }
      }))
    )
  )
)

/** Messages that repeat themselves near and far, so that what a window holds matters. */
const messages = [
  ["text", json(100)],
  ["text", json(4000)],
  ["binary", Buffer.concat([noise(300), noise(300), noise(300)])],
  ["binary", Buffer.concat([noise(20_000), picture(5000), noise(20_000)])],
  ["text", prose(70_000)],
  ["text", json(4000)],
  ["binary", Buffer.alloc(0)],
  ["text", json(100)]
] as const

const converse: Case["run"] = async (peer) => {
  for (const [kind, message] of messages) {
    for (const fragment of [undefined, 1000]) {
      peer.send(...peer.message(kind, message, fragment))
      await peer.gets(kind === "text" ? text(message) : binary(message))
    }
  }
  await peer.closes()
}

const unusable = [
  "permessage-deflate; unknown",
  "permessage-deflate; server_max_window_bits",
  "permessage-deflate; server_max_window_bits=7",
  "permessage-deflate; server_max_window_bits=16",
  "permessage-deflate; server_max_window_bits=010",
  "permessage-deflate; client_max_window_bits=7",
  "permessage-deflate; client_max_window_bits=16",
  "permessage-deflate; client_max_window_bits=08",
  "permessage-deflate; server_no_context_takeover=1",
  "permessage-deflate; client_no_context_takeover=true",
  "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
  "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
  "permessage-unknown",
  "permessage-unknown; with=\"quotes\", another; flag"
]

const usable: ReadonlyArray<readonly [offer: string, Parameters]> = [
  ["permessage-unknown, permessage-deflate", {}],
  ["permessage-deflate; unknown, permessage-deflate", {}],
  ["permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=10", {
    serverMaxWindowBits: 10
  }],
  ["permessage-deflate; server_max_window_bits=\"10\"", { serverMaxWindowBits: 10 }],
  ["permessage-deflate;server_no_context_takeover ;  client_max_window_bits", {
    serverNoContextTakeover: true,
    clientMaxWindowBits: true
  }]
]

export const parameters: ReadonlyArray<Case> = [
  ...numbered("13.1", combinations.map((deflate) => ({ title: format(deflate), deflate, heavy: true, run: converse }))),
  ...numbered(
    "13.2",
    unusable.map((offer) => ({
      title: `is declined: ${offer}`,
      offer,
      run: async (peer) => {
        await peer.echoes(text("goes on without"))
        await peer.closes()
      }
    }))
  ),
  ...numbered(
    "13.3",
    usable.map(([offer, deflate]) => ({ title: `is accepted: ${offer}`, offer, deflate, run: converse }))
  )
]
