/** All that is fuzzed. */
import type { Target } from "../Target.ts"
import { codecs } from "./codecs.ts"
import { conversations } from "./conversations.ts"
import { endpoint } from "./endpoint.ts"
import { framers } from "./framers.ts"
import { handshakes } from "./handshakes.ts"
import { http } from "./http.ts"
import { proxies } from "./proxies.ts"
import { tls } from "./tls.ts"
import { websocketFrames } from "./websocketFrames.ts"
import { websocketHandshake } from "./websocketHandshake.ts"

export const targets: ReadonlyArray<Target> = [
  ...framers,
  ...websocketFrames,
  ...websocketHandshake,
  ...http,
  ...proxies,
  ...handshakes,
  ...conversations,
  ...codecs,
  ...tls,
  endpoint
]
