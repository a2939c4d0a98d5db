/** Runs an example by name: `npm run example -- NAME [options]`. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { runProgram } from "./runProgram.ts"

const [name, ...args] = process.argv.slice(2)

const program = Effect.gen(function*() {
  switch (name) {
    case "chat":
      return yield* (yield* Effect.promise(() => import("./chat/main.ts"))).main(args)
    case "echo-server":
      return yield* (yield* Effect.promise(() => import("./echo-server.ts"))).main(args)
    case "echo-client":
      return yield* (yield* Effect.promise(() => import("./echo-client.ts"))).main(args)
    case "mqtt":
      return yield* (yield* Effect.promise(() => import("./mqtt.ts"))).main(args)
    case "redis":
      return yield* (yield* Effect.promise(() => import("./redis.ts"))).main(args)
    case "nats":
      return yield* (yield* Effect.promise(() => import("./nats.ts"))).main(args)
    case "sip":
      return yield* (yield* Effect.promise(() => import("./sip.ts"))).main(args)
    case "game":
      return yield* (yield* Effect.promise(() => import("./game.ts"))).main(args)
    case "gateway":
      return yield* (yield* Effect.promise(() => import("./gateway/main.ts"))).main(args)
    case "cluster":
      return yield* (yield* Effect.promise(() => import("./cluster/main.ts"))).main(args)
    default:
      yield* Console.error(
        "npm run example -- chat | gateway | cluster | echo-server | echo-client | mqtt | redis | nats | sip | game"
      )
      process.exitCode = 2
  }
})

runProgram(program)
