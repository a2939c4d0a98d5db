/** Another host on a cable, in a network namespace of its own, and addresses on the cable at which nobody answers. */
import { Effect, type Scope } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { event } from "./support.ts"

const name = `ws${process.pid}`

/** Runs commands of `ip`, one a line. */
const ip = (input: string, ...options: ReadonlyArray<string>): void => {
  const { status, stderr } = spawnSync("ip", [...options, "-batch", "-"], { input })
  if (status !== 0) throw new Error(String(stderr))
}

const made = (add: string, remove: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(() => ip(add)), () => Effect.sync(() => ip(remove)))

/** Whether namespaces can be made: it takes root, `ip`, and a system that has them. */
export const possible = spawnSync("ip", ["netns", "add", name]).status === 0 &&
  spawnSync("ip", ["netns", "del", name]).status === 0

/** Addresses of ranges that are set aside for tests (RFC 2544, RFC 5180), other ones for each process. */
const id = process.pid % 0x4000
const v4 = (host: number): string => {
  const n = id * 8 + host
  return `198.${18 + (n >> 16)}.${(n >> 8) & 0xff}.${n & 0xff}`
}
const v6 = (host: number): string => `2001:2:0:${id.toString(16)}::${host}`
const [ours, ourOther, theirs, nobodys] = [1, 2, 3, 4]

export const addresses = {
  ours: { v4: v4(ours), v6: v6(ours), other: v4(ourOther), linkLocal: "fe80::57:1" },
  theirs: { v4: v4(theirs), v6: v6(theirs), linkLocal: "fe80::57:3" },
  nobodys: { v4: v4(nobodys), v6: v6(nobodys) }
}

/** Our end of the cable. */
export const device = `${name}a`
const theirDevice = `${name}b`

/** Tells each connection from which address it comes. */
const teller = `require("net").createServer((socket) => {
  socket.on("error", () => {}).resume()
  socket.write(socket.remoteAddress + "\\n")
}).listen(0, "::", function() { process.stdout.write(String(this.address().port)) })`

const configure = Effect.sync(() => {
  ip(`link set ${device} addrgenmode none
addr add ${v4(ours)}/29 dev ${device}
addr add ${v4(ourOther)}/29 dev ${device}
addr add ${v6(ours)}/64 dev ${device} nodad
addr add ${addresses.ours.linkLocal}/64 dev ${device} nodad
link set ${device} up`)
  ip(
    `link set ${theirDevice} addrgenmode none
addr add ${v4(theirs)}/29 dev ${theirDevice}
addr add ${v6(theirs)}/64 dev ${theirDevice} nodad
addr add ${addresses.theirs.linkLocal}/64 dev ${theirDevice} nodad
link set ${theirDevice} up`,
    "-netns",
    name
  )
})

/** Connects the other host, and gives the port at which it tells connections where they come from. */
export const cable: Effect.Effect<number, never, Scope.Scope> = Effect.gen(function*() {
  yield* made(`netns add ${name}`, `netns del ${name}`)
  yield* made(`link add ${device} type veth peer name ${theirDevice} netns ${name}`, `link del ${device}`)
  yield* configure
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn("ip", ["netns", "exec", name, process.execPath, "-e", teller], { stdio: ["ignore", "pipe", "inherit"] })
    ),
    (child) =>
      Effect.suspend(() => {
        child.kill("SIGKILL")
        return event(child, "exit")
      })
  )
  return Number(yield* event(child.stdout, "data"))
})

/** Has the other host answer no more. */
export const silence = Effect.sync(() => ip(`addr del ${v4(theirs)}/29 dev ${theirDevice}`, "-netns", name))
