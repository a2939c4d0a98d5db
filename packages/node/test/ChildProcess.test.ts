import { assert, describe, it } from "@effect/vitest"
import { ChildProcess, ChildProcessInfo } from "@wirestack/node"
import type { Ask } from "@wirestack/protocol/Ask"
import { ConnectError, Refused } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { Samples, transportSuite, withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { resources } from "@wirestack/test-support"
import { Tcp } from "@wirestack/transport-tcp"
import { Context, Effect, Fiber, Layer, type Scope, Stream } from "effect"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

/** How many pipes, sockets and processes there are. */

/** Perl, which starts in some milliseconds, and passes on the end of either side. */
const relay = `
  use Socket;
  my ($host, $port) = @ARGV;
  socket(my $socket, PF_INET, SOCK_STREAM, 0);
  connect($socket, sockaddr_in($port, inet_aton($host))) or exit 1;
  my %ways = (fileno(STDIN) => [*STDIN, $socket], fileno($socket) => [$socket, *STDOUT]);
  while (%ways) {
    my $ready = "";
    vec($ready, $_, 1) = 1 for keys %ways;
    select($ready, undef, undef, undef);
    for my $id (grep { vec($ready, $_, 1) } keys %ways) {
      my ($in, $out) = @{$ways{$id}};
      if (my $size = sysread($in, my $bytes, 65536)) {
        for (my $at = 0; $at < $size;) { $at += syswrite($out, $bytes, $size - $at, $at) // exit 1 }
      } else {
        delete $ways{$id};
        $id == 0 ? shutdown($socket, 1) : close(STDOUT);
      }
    }
  }
`

const addressOf = (place: Endpoint.Place): ReadonlyArray<string> =>
  place._tag === "Tcp" ? [place.host, String(place.port)] : []

/** Processes that pass on what they get to a server of ours, and back. */
const relayed = (): Layer.Layer<Transport.ByteTransport<Transport.Connect | Transport.Listen>> =>
  Transport.layer(
    Transport.Bytes,
    Effect.gen(function*() {
      const through = yield* Layer.build(
        ChildProcess.layer(({ place }) => ({ command: "perl", args: ["-e", relay, ...addressOf(place)] }))
      )
      const tcp = yield* Layer.build(Tcp.layer())
      const { connect } = Context.get(through, Transport.Bytes.key)
      return {
        ...Context.get(tcp, Transport.Bytes.key),
        connect: (ask: Ask) => {
          const address = Endpoint.format(ask.endpoint)
          return address === "127.0.0.1:1"
            ? Effect.fail(new ConnectError({ layer: "child process", reason: new Refused({ address }) }))
            : connect(ask)
        }
      }
    })
  )

const hasPerl = spawnSync("perl", ["-e", "1"]).status === 0

describe.skipIf(!hasPerl)(`processes that relay${hasPerl ? "" : " (skipped: perl is not installed)"}`, () => {
  const suite = transportSuite({
    shape: Transport.Bytes,
    layer: relayed,
    endpoint: () => "127.0.0.1:0",
    nobody: "127.0.0.1:1",
    samples: Samples.bytes,
    capabilities: {
      halfClose: true,
      statuses: "a pipe carries no reason",
      abortIsSeen: "what a server sees of the end of a relay is up to the relay"
    },
    resources
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

const connect = Transport.connect(Transport.Bytes)<ChildProcessInfo>

/** A live test of connections to a command, which leaves nothing. */
const live = <E>(
  name: string,
  [command, ...args]: readonly [string, ...Array<string>],
  program: () => Effect.Effect<unknown, E, Scope.Scope | Transport.ByteTransport<ChildProcess.Can>>,
  options?: ChildProcess.Options
) =>
  it.live(name, () =>
    withoutLeaks(
      Effect.provide(Effect.scoped(Effect.suspend(program)), ChildProcess.layer({ command, args }, options)),
      resources
    ))

const script = (text: string) => [process.execPath, "-e", text] as const

/** All that is received, as text. */
const text = (connection: Connection.Connection<Uint8Array, never>): Effect.Effect<string, ConnectionError> =>
  Effect.map(Stream.runCollect(Connection.messages(connection)), (chunks) => Buffer.concat(chunks).toString())

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe("a process", () => {
  live("is talked to until both sides have ended", ["cat"], () =>
    Effect.gen(function*() {
      const connection = yield* connect("memory:any")
      const sent = Buffer.alloc(300_000, "0123456789")
      const receiving = yield* Effect.forkChild(text(connection))
      yield* connection.send(sent)
      yield* connection.end
      assert.strictEqual(yield* Fiber.join(receiving), sent.toString())
      const info = Connection.detail(connection, ChildProcessInfo)
      assert.deepStrictEqual([info.command, info.args], ["cat", []])
      assert.deepStrictEqual(yield* info.exited, { code: 0, signal: null })
    }))

  live("that fails is told with its code, and what it said, behind its output", [
    "sh",
    "-c",
    "echo out; echo why >&2; exit 3"
  ], () =>
    Effect.gen(function*() {
      const connection = yield* connect("memory:any")
      yield* Connection.detail(connection, ChildProcessInfo).exited
      assert.strictEqual(Buffer.concat(yield* connection.pull).toString(), "out\n")
      yield* connection.end
      const { clean, error } = yield* connection.closed
      assert.isFalse(clean)
      assert.strictEqual(error?.message, "child process: sh exited with code 3: why")
    }))

  live(
    "that reads no more is heard to its end, and what it did not read is told",
    ["sh", "-c", "exec <&-; echo done"],
    () =>
      Effect.gen(function*() {
        const connection = yield* connect("memory:any")
        yield* Effect.ignore(Effect.forever(connection.send(Buffer.alloc(65_536)))).pipe(Effect.forkChild)
        assert.match(yield* Effect.orElseSucceed(text(connection), () => ""), /^(done\n)?$/)
        const outcome = yield* connection.closed
        assert.strictEqual(outcome.error?.reason._tag, "Reset")
        assert.isAbove(outcome.unsent.bytes, 0)
      })
  )

  live(
    "that exits with 0 is over when all that it has said is pulled, however late",
    ["echo", "done"],
    () =>
      Effect.gen(function*() {
        const connection = yield* connect("memory:any")
        yield* Connection.detail(connection, ChildProcessInfo).exited
        yield* Effect.sleep("20 millis")
        assert.strictEqual(yield* text(connection), "done\n")
        const { clean, error, first } = yield* connection.closed
        assert.deepStrictEqual({ clean, error, first }, { clean: true, error: undefined, first: "remote" })
        const refused = yield* Effect.flip(connection.send(Buffer.from("too late")))
        assert.strictEqual(refused.reason._tag, "Closed")
      })
  )

  live(
    "that reads no more is told of with all that was sent since",
    ["sh", "-c", "exec <&-; echo; exec sleep 60"],
    () =>
      Effect.gen(function*() {
        const connection = yield* connect("memory:any")
        yield* connection.pull
        for (let n = 0; n < 5; n++) yield* Effect.andThen(connection.send(Buffer.alloc(100)), Effect.sleep("5 millis"))
        process.kill(Connection.detail(connection, ChildProcessInfo).pid)
        assert.strictEqual((yield* connection.closed).unsent.bytes, 500)
      })
  )

  live(
    "leaves no pipe to its own children",
    ["sh", "-c", "sleep 5 & echo done"],
    () =>
      Effect.scoped(
        Effect.flatMap(connect("memory:any", { closeWithin: "50 millis" }), (connection) => connection.pull)
      )
  )

  live("that can't be started is no connection", ["wirestack-no-such-command"], () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(connect("memory:any"))
      assert.strictEqual(error.reason._tag, "SpawnFailed")
      assert.match(error.message, /^child process: wirestack-no-such-command could not be started: .*ENOENT/)
    }))

  live("that stays is ended when the budget is over", ["sleep", "60"], () =>
    Effect.gen(function*() {
      const connection = yield* Effect.scoped(connect("memory:any", { closeWithin: "50 millis" }))
      const info = Connection.detail(connection, ChildProcessInfo)
      assert.isFalse(isAlive(info.pid))
      assert.deepStrictEqual(yield* info.exited, { code: null, signal: "SIGTERM" })
      assert.isFalse((yield* connection.closed).clean)
    }))

  live(
    "that ignores that is killed",
    script("process.on('SIGTERM', () => {}); setInterval(() => {}, 1e3); console.log(1)"),
    () =>
      Effect.gen(function*() {
        const connection = yield* Effect.scoped(
          Effect.tap(connect("memory:any", { closeWithin: "50 millis" }), (connection) => connection.pull)
        )
        const info = Connection.detail(connection, ChildProcessInfo)
        assert.deepStrictEqual(yield* info.exited, { code: null, signal: "SIGKILL" })
      }),
    { killAfter: "50 millis" }
  )

  live("is ended by an abort", ["sleep", "60"], () =>
    Effect.gen(function*() {
      const connection = yield* connect("memory:any")
      yield* connection.abort
      const exited = yield* Connection.detail(connection, ChildProcessInfo).exited
      assert.strictEqual(exited.signal, "SIGTERM")
    }))

  live(
    "has the end of its stderr kept, and no more",
    ["sh", "-c", "printf %0100d 1 >&2; printf %05d 2 >&2"],
    () =>
      Effect.gen(function*() {
        const connection = yield* Effect.scoped(connect("memory:any"))
        assert.strictEqual(Connection.detail(connection, ChildProcessInfo).stderr, "0000100002")
      }),
    { stderr: 10 }
  )

  const overStdio = [
    process.execPath,
    "--conditions=@wirestack/source",
    fileURLToPath(new URL("stdio.ts", import.meta.url))
  ] as const

  live(
    "talks over its standard input and output as over any connection, once",
    overStdio,
    () =>
      Effect.gen(function*() {
        const sent = Buffer.alloc(200_000, "0123456789")
        const refused = "stdio: the stream can't be used: standard input and output are in use"
        const connection = yield* Effect.scoped(Effect.gen(function*() {
          const connection = yield* connect("memory:any")
          const receiving = yield* Effect.forkChild(text(connection))
          yield* connection.send(sent)
          yield* connection.end
          assert.strictEqual(yield* Fiber.join(receiving), sent + refused)
          return connection
        }))
        assert.isTrue((yield* connection.closed).clean)
      })
  )

  live(
    "has ended its standard output when it says so, also where that is a pipe",
    ["sh", "-c", `"$0" "$@" early | (cat; echo ended)`, ...overStdio],
    () =>
      Effect.gen(function*() {
        const connection = yield* connect("memory:any")
        const pulled = yield* Effect.forkChild(connection.pull)
        assert.strictEqual(`${Buffer.concat(yield* Fiber.join(pulled))}`, "ended\n")
        yield* connection.end
        assert.strictEqual(yield* text(connection), "")
      })
  )

  live(
    "tells why its standard input and output are no listener",
    [...overStdio, "text"],
    () =>
      Effect.gen(function*() {
        const info = Connection.detail(yield* connect("memory:any"), ChildProcessInfo)
        yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => info.stderr !== "" })
        assert.strictEqual(info.stderr, "stdio: the stream can't be used: it gives text, not bytes")
      })
  )

  live(
    "is held back, and not blocked, while nobody reads its standard output",
    [...overStdio, "flood"],
    () =>
      Effect.gen(function*() {
        const connection = yield* connect("memory:any")
        const info = Connection.detail(connection, ChildProcessInfo)
        yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => info.stderr === "held back" })
        const receiving = yield* Effect.forkChild(text(connection))
        yield* connection.end
        assert.isAbove((yield* Fiber.join(receiving)).length, 100_000)
      })
  )
})
