/**
 * Versions of a protocol of which the application knows only the newest. Older ones are spoken on the wire, and their messages
 * migrated, one version at a time.
 *
 *     class Chat extends Migration.Service<Chat>()(
 *       Migration.from(ChatV1).to(ChatV2, {
 *         client: { up: (v1) => v2, down: (v2) => v1 },
 *         server: { up: (v1) => v2, down: (v2) => v1 }
 *       })
 *     ) {}
 *
 *     handler    v3        v3        v3       what the application sends and receives
 *                 |      up ^ down   ^
 *                 |        v2        v2
 *                 |         |      up ^ down
 *     wire       v3        v2        v1       what was negotiated
 *
 * The contract:
 *
 * - All versions are offered, the newest first, and one must be negotiated, as for a `Subprotocol.Family`. The connection's `protocol` tells
 *   which one it was.
 * - A server migrates what clients sent up, and what it sends down; a client does the same with what servers sent. The functions are
 *   synchronous and called for each message, with nothing in between. What is sent is checked by the Schema of the version on the wire.
 * - A function returns `undefined` for a message that has no form in the other version. Then the policy (`onMissing`) decides: by default a
 *   send fails with `Unmigratable`, and the connection goes on; what was received fails the connection with it.
 * - A function that throws is a refusal too: `Unencodable` for what is sent, `Undecodable` for what was received.
 * - What was received and dropped is counted in `Outcome.skipped`. Messages that can't be decoded are handed out if the newest version has
 *   its Schema in `Codec.orUndecodable`.
 */
import { type Negotiated, offersOf } from "../Ask.ts"
import { Undecodable, Unencodable, Unmigratable } from "../ConnectionError.ts"
import { mapped } from "../internal/mapped.ts"
import { compile, type Machines, offering, speak } from "../internal/speak.ts"
import * as Protocol from "../Protocol.ts"
import * as Transport from "../Transport.ts"
import { type Carried, type Codec, handsOut, orUndecodable, type Received } from "./Codec.ts"
import type { AnyService, Operations } from "./Subprotocol.ts"

/** A message in its form of another version; `undefined` if it has none there. */
export type Step<From, To> = (message: From) => To | undefined

/** Both directions between one version and the next. */
export interface Both<Old, New> {
  readonly up: Step<Old, New>
  readonly down: Step<New, Old>
}

/** The messages of either side between one version and the next. */
export interface Steps<Old extends AnyService, New extends AnyService> {
  /** What clients send: `up` is used by servers, `down` by clients. */
  readonly client: Both<Old["client"]["Type"], New["client"]["Type"]>
  /** What servers send: `up` is used by clients, `down` by servers. */
  readonly server: Both<Old["server"]["Type"], New["server"]["Type"]>
}

/** Versions from the oldest to the newest, and the steps between them. */
export interface Chain<Newest extends AnyService, Name extends string, Sides = Carried> {
  readonly newest: Newest
  /** The versions before the newest, the newest first, each with its steps to the next one. */
  readonly older: ReadonlyArray<{ readonly version: AnyService; readonly steps: Steps<any, any> }>
  /** Adds a version that is newer than all so far. */
  readonly to: <Next extends AnyService>(
    next: Next,
    steps: Steps<Newest, Next>
  ) => Chain<Next, Name | Next["protocol"], Sides | SidesOf<Next>>
  readonly "~@wirestack/protocol/Migration"?: Sides
}

/** The Schemas of both sides of a protocol. */
export type SidesOf<P extends AnyService> = P["client" | "server"]

const chain = <Newest extends AnyService, Name extends string, Sides>(
  newest: Newest,
  older: Chain<Newest, Name>["older"]
): Chain<Newest, Name, Sides> => ({
  newest,
  older,
  to: (next, steps) => chain(next, [{ version: newest, steps }, ...older])
})

/**
 * Begins with the oldest version.
 *
 * @category constructors
 */
export const from = <P extends AnyService>(oldest: P): Chain<P, P["protocol"], SidesOf<P>> => chain(oldest, [])

/** How the versions are put on a stack. */
export interface OverOptions {
  /**
   * Told of each message that has no form in the other version, and decides what becomes of it: `"refuse"`, the default, or `"drop"`, in
   * which case a send succeeds and what was received is passed over. Called within the turn, so it must be quick.
   */
  readonly onMissing?: (missing: Unmigratable) => "refuse" | "drop"
}

/** The versions as one protocol, a class which is its shape and has its operations. */
export interface Service<Self, Newest extends AnyService, Name extends string, Sides = Carried> extends
  Operations<
    Self,
    Name,
    Received<Newest["server"]>,
    Newest["client"]["Type"],
    Received<Newest["client"]>,
    Newest["server"]["Type"]
  >
{
  new(_: never): {
    readonly "~@wirestack/protocol/Migration": {
      readonly protocol: Name
      readonly client: Newest["client"]["Type"]
      readonly server: Newest["server"]["Type"]
    }
  }
  /** The version that the application speaks. */
  readonly newest: Newest
  /** All versions by name, the newest first. */
  readonly versions: { readonly [_ in Name]: AnyService }
  /** The operator that puts the versions on a stack, of what the codec stands on, in which a layer negotiates. */
  readonly over: <L, M>(codec: Codec<L, M, Sides>, options?: OverOptions) => Protocol.Over<L, Negotiated, Self, never>
}

/**
 * Defines versions as one protocol: `class Chat extends Service<Chat>()(from(ChatV1).to(ChatV2, steps)) {}`. Throws a `RangeError` if two
 * versions have one name.
 *
 * @category constructors
 */
export const Service = <Self>() =>
<Newest extends AnyService, Name extends string, Sides>(
  versions: Chain<Newest, Name, Sides>
): Service<Self, Newest, Name, Sides> => {
  const { newest, older } = versions
  const all = [newest, ...older.map(({ version }) => version)]
  distinct(all.map(({ protocol }) => protocol))
  const byName = Object.fromEntries(all.map((version) => [version.protocol, version]))
  const offers = offersOf(byName)
  const shape = Transport.shape<Self, any, any, any, any>(`Migration/${offers.join(",")}`, offers)
  const over = <L, M>(codec: Codec<L, M, Sides>, options?: OverOptions): Protocol.Over<L, never, Self, never> => {
    const machines = machinesOf(versions, codec, options?.onMissing ?? (() => "refuse"))
    return Protocol.make(codec.below, shape, {
      layer: offers.join(", "),
      below: offering(offers),
      client: (lower) => speak(lower, machines, "client", "named"),
      server: (lower) => speak(lower, machines, "server", "named")
    })
  }
  return class {
    static readonly key = shape.key
    static readonly offers = offers
    static readonly newest = newest
    static readonly versions = byName
    static readonly over = over
    static readonly connect = Transport.connect(shape)
    static readonly listen = Transport.listen(shape)
    static readonly serve = Transport.serve(shape)
  } as any
}

/** Throws if a name is there twice: of two versions with one name the older would never be spoken. */
const distinct = (names: ReadonlyArray<string>): void => {
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw new RangeError(`two versions have the name ${JSON.stringify(twice)}`)
}

type AnyStep = Step<any, any>
type OnMissing = NonNullable<OverOptions["onMissing"]>

/** The machines of all versions, the newest first. */
const machinesOf = <M>(
  { newest, older }: Pick<Chain<AnyService, string>, "newest" | "older">,
  codec: Codec<any, M, any>,
  onMissing: OnMissing
): ReadonlyArray<Machines<M>> => {
  const steps = (at: number, side: "client" | "server") => older.slice(0, at + 1).map(({ steps }) => steps[side])
  const migrating = (version: AnyService, at: number): Machines<M> => {
    const { protocol } = version
    const { client, server } = compile(codec, {
      protocol,
      client: alike(version.client, newest.client),
      server: alike(version.server, newest.server)
    })
    const names = { older: protocol, newest: newest.protocol }
    const machineOf = (machine: Machines<M>["client"], received: "client" | "server", sent: "client" | "server") => {
      const up = steps(at, received).reverse().map(({ up }) => up)
      const down = steps(at, sent).map(({ down }) => down)
      const between = { ...names, onMissing, handedOut: handsOut(newest[received]) }
      return () => mapped(machine(), mapping<M>(up, down, between))
    }
    return { protocol, client: machineOf(client, "server", "client"), server: machineOf(server, "client", "server") }
  }
  return [compile(codec, newest), ...older.map(({ version }, at) => migrating(version, at))]
}

/** What becomes of messages that can't be decoded is as the newest version has it. */
const alike = (older: Carried, newest: Carried): Carried => handsOut(newest) ? orUndecodable(older as any) : older

/** Takes the steps in turn; `undefined` if one of them leads nowhere. */
const walk = (steps: ReadonlyArray<AnyStep>, message: unknown): unknown => {
  let migrated = message
  for (let i = 0; i < steps.length && migrated !== undefined; i++) migrated = steps[i](migrated)
  return migrated
}

/** What a mapping goes by. */
interface Between {
  readonly older: string
  readonly newest: string
  readonly onMissing: OnMissing
  /** Messages that can't be decoded are handed out. */
  readonly handedOut: boolean
}

const mapping = <M>(
  up: ReadonlyArray<AnyStep>,
  down: ReadonlyArray<AnyStep>,
  { handedOut, newest, older, onMissing }: Between
): Parameters<typeof mapped<M, unknown, unknown, unknown, unknown>>[1] => {
  const thrown = (from: string, to: string, cause: unknown) => ({
    detail: `its migration from ${from} to ${to} threw`,
    cause
  })
  const migrate = (value: unknown): unknown => {
    try {
      return walk(down, value)
    } catch (cause) {
      throw new Unencodable(thrown(newest, older, cause))
    }
  }
  let dropped = 0
  return {
    migrate,
    way: down,
    receive: (value, size, io) => {
      if (value instanceof Undecodable) return handedOut ? io.emit(value, size) : io.fail(value)
      let migrated: unknown
      try {
        migrated = walk(up, value)
      } catch (cause) {
        return io.fail(new Undecodable(thrown(older, newest, cause)))
      }
      if (migrated !== undefined) return io.emit(migrated, size)
      const missing = new Unmigratable({ from: older, to: newest, value })
      if (onMissing(missing) === "refuse") io.fail(missing)
      else dropped++
    },
    dropped: () => dropped,
    encode: (value) => {
      const migrated = migrate(value)
      if (migrated !== undefined) return migrated
      const missing = new Unmigratable({ from: newest, to: older, value })
      if (onMissing(missing) === "refuse") throw missing
      return undefined
    }
  }
}
