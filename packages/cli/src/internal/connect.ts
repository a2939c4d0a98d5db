/** `wirestack connect`. */
import { ConnectError } from "@wirestack/protocol/ConnectError"
import { detailOption } from "@wirestack/protocol/Connection"
import { TimedOut } from "@wirestack/protocol/Reason"
import * as DataTransferReport from "@wirestack/protocol/reports/DataTransferReport"
import * as EstablishmentReport from "@wirestack/protocol/reports/EstablishmentReport"
import * as CloseCode from "@wirestack/websocket/frames/CloseCode"
import { WebSocket } from "@wirestack/websocket/WebSocket"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Misused } from "../Misused.ts"
import * as Stack from "../Stack.ts"
import * as StackUrl from "../StackUrl.ts"
import * as asked from "./asked.ts"
import { complaint } from "./complaint.ts"
import { converse } from "./converse.ts"
import { type Operator, say } from "./Operator.ts"
import { isPerson, operatorOf } from "./operatorOf.ts"
import { outcomeLine } from "./outcomeLine.ts"
import { warnOfInsecurity } from "./warnOfInsecurity.ts"
import { waterfall } from "./waterfall.ts"

/** Connects, and tells how that came about, or why not. */
const established = Effect.fnUntraced(function*(
  { options, url }: Effect.Success<ReturnType<typeof asked.client>>,
  input: asked.Connect
) {
  if (input.insecure) yield* warnOfInsecurity(url)
  const late = new TimedOut({ phase: "connecting", after: Duration.toMillis(input.timeout) })
  const connecting = Effect.timeoutOrElse(Stack.connect(url, options), {
    duration: input.timeout,
    orElse: () => Effect.fail(new ConnectError({ layer: "endpoint", reason: late }))
  })
  const tell = (report: EstablishmentReport.EstablishmentReport) =>
    input.report ? say(waterfall(StackUrl.format(url), report)) : Effect.void
  const connection = yield* Effect.tapErrorTag(
    connecting,
    "ConnectError",
    (error) => tell(EstablishmentReport.of(error))
  )
  yield* tell(EstablishmentReport.of(connection))
  return connection
})

/** Pings so often, for as long as the connection is there. */
const pinging = (connection: Stack.Top, { note }: Operator, every: Duration.Duration) =>
  Option.match(detailOption(connection, WebSocket), {
    onNone: () => Effect.never,
    onSome: ({ ping }) =>
      ping.pipe(
        Effect.flatMap((time) => note(`pong after ${Duration.toMillis(time).toFixed(1)} ms`)),
        Effect.andThen(Effect.sleep(every)),
        Effect.forever,
        Effect.ignore
      )
  })

const closeCodeOf = (code: number | undefined): Effect.Effect<CloseCode.CloseCode | undefined, Misused> =>
  code === undefined || CloseCode.isCloseCode(code)
    ? Effect.succeed(code)
    : Effect.fail(new Misused({ detail: `--close ${code} is no code that may be sent: 1000 to 1014, 3000 to 4999` }))

/** How it ended, for people; what has passed, for who asked. */
const farewell = (connection: Stack.Top, { report }: asked.Connect): Effect.Effect<void> =>
  report || isPerson()
    ? Effect.gen(function*() {
      yield* say(outcomeLine(yield* connection.closed))
      if (report) yield* say(DataTransferReport.format(yield* DataTransferReport.of(connection)))
    })
    : Effect.void

export const connect = Effect.fnUntraced(function*(input: asked.Connect) {
  const code = yield* closeCodeOf(input.close)
  let connected: Stack.Top | undefined
  const conversation = Effect.scoped(Effect.gen(function*() {
    const wanted = yield* asked.client(input)
    const { url } = wanted
    const format = yield* Effect.fromResult(asked.format(input, url))
    const connection = connected = yield* established(wanted, input)
    const operator = yield* operatorOf(format)
    if (operator.isPerson) yield* operator.note(`connected to ${StackUrl.format(url)}`)
    const { ping } = input
    if (ping !== undefined) yield* Effect.forkScoped(pinging(connection, operator, ping))
    yield* converse(connection, operator, asked.ending(input.once ? { ...input, count: 1 } : input, url))
    if (code !== undefined) {
      yield* Option.match(detailOption(connection, WebSocket), {
        onNone: () => Effect.void,
        onSome: ({ close }) => Effect.ignore(close(code))
      })
    }
    return connection
  }))
  const told = Effect.suspend(() => connected === undefined ? Effect.void : farewell(connected, input))
  const { closed } = yield* Effect.ensuring(conversation, told)
  yield* complaint(yield* closed)
})
