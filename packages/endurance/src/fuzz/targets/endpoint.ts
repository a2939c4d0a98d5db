/** Endpoints, as people and redirects write them. */
import { Endpoint } from "@wirestack/protocol"
import { equal, holds } from "@wirestack/protocol/testing/check"
import * as Result from "effect/Result"
import { ofText } from "../Target.ts"

/** User name and password of a URL. */
const secret = "://user:p%40ss@"

export const endpoint = ofText({
  name: "endpoint",
  corpus: [
    "wss://user:p%40ss@chat.example:8443/room?x=y",
    "ws://[::1]/",
    "tcp://127.0.0.1:80",
    "tls://a.example:443",
    "unix:/run/chat.sock",
    "memory:chat",
    "srv:_chat._tcp.example.com",
    "wss+srv://_chat._tcp.example.com/room",
    "localhost:8080"
  ],
  dictionary: ["://", "@", ":", "[", "]", "%", "%00", "+srv", "_tcp", "65536", "#", "?", "\\", "xn--", "\n"],
  show: (text) => {
    const made = Endpoint.make(text)
    if (Result.isFailure(made)) {
      const { _tag, message } = made.failure
      holds("no password is said", !text.includes(secret) || !message.includes(secret), message)
      return { accepted: false, how: _tag }
    }
    const { credentials: _, ...plain } = made.success
    const again = Result.map(Endpoint.make(Endpoint.format(made.success)), ({ credentials: _, ...plain }) => plain)
    equal("what it is once it was written", again, Result.succeed(plain))
    return { accepted: true, how: `${plain.place._tag} ${plain.demands.join()}` }
  }
})
