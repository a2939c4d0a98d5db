/**
 * Echoes every message, over the stack its options ask for; the target for conformance and load tools.
 *
 *     npm run example -- echo-server --port 9000
 *     npm run example -- echo-server --tls --max-message 16777216
 *     npm run example -- echo-server --transport tcp --framer lines
 */
import { messages } from "@wirestack/protocol/Connection"
import * as LengthPrefixed from "@wirestack/protocol/LengthPrefixed"
import * as Lines from "@wirestack/protocol/Lines"
import * as Transport from "@wirestack/protocol/Transport"
import { Tcp } from "@wirestack/transport-tcp"
import { Tls } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { WebSocket } from "@wirestack/websocket"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
