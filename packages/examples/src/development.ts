/**
 * What a program needs to try the full stack on one machine: a certificate authority and a server's identity, made in
 * memory. The authority's certificate (not its key) is left in a file for programs that join from another terminal.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"

/** Where a server is and whom to trust for it. */
export const Invitation = Schema.Struct({ endpoint: Schema.String, ca: Schema.String })
export type Invitation = typeof Invitation.Type

/** A file that is kept from one run to the next. */
export const cached = (name: string): Effect.Effect<string, never, Path.Path> =>
  Effect.map(
    Path.Path,
    (path) => path.resolve(import.meta.dirname, "../../../node_modules/.cache/wirestack", name)
  )

const file = cached("invitation.json")

/** There is no invitation. */
export class NobodyServes extends Data.TaggedError("NobodyServes") {
  override get message(): string {
    return "no chat is running here; start one with: npm start"
  }
}

/** Leaves an invitation for others; it is taken back when the scope closes. */
export const invite = Effect.fnUntraced(function*(invitation: Invitation) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const name = yield* file
  yield* fs.makeDirectory(path.dirname(name), { recursive: true })
  yield* fs.writeFileString(name, JSON.stringify(invitation), { mode: 0o600 })
  yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(name)))
})

/** The invitation of a server that runs on this machine. */
export const invitation = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const text = yield* Effect.mapError(fs.readFileString(yield* file), () => new NobodyServes())
  return yield* Schema.decodeEffect(Schema.fromJsonString(Invitation))(text)
})
