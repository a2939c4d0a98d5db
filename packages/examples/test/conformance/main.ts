/**
 * The conformance suite: RFC 6455 and RFC 7692 case by case, by a peer that shares no code with the library.
 *
 *     npm run conformance                                     our echo-server and our echo-client
 *     npm run conformance -- --section 6 --role server        only a section, only the server
 *     npm run conformance -- --case 5.2.4 --case 6.4          only some cases, or groups of them
 *     npm run conformance -- --url ws://127.0.0.1:9000/       any server that echoes
 *     npm run conformance -- --peer ws                        `ws` instead, in both roles, to compare with
 *
 * It prints a line for each case that fails, then how many passed; its code is 1 if one failed.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { all } from "./cases/all.ts"
import { againstClient, againstServer, type Result, type Start } from "./run.ts"

const { values } = parseArgs({
  options: {
    section: { type: "string", multiple: true },
    case: { type: "string", multiple: true },
    role: { type: "string", multiple: true },
    url: { type: "string" },
    peer: { type: "string", default: "wirestack" }
  }
})

const example = path.resolve(import.meta.dirname, "../../src/run.ts")
const options = ["--compression", "--max-message", String(1 << 26)]

/** How each peer is started; a client gets the URL and the number of its connections in addition. */
const programs: Record<string, (role: string) => ReadonlyArray<string>> = {
  wirestack: (role) => [example, `echo-${role}`, ...options],
  ws: (role) => [path.join(import.meta.dirname, "ws.ts"), role]
}

const start = (args: ReadonlyArray<string>, more: { readonly signal?: AbortSignal } = {}) =>
  spawn(process.execPath, ["--conditions=@wirestack/source", ...args], {
    ...more,
    stdio: ["ignore", "pipe", "inherit"]
  })

const withServer = async <A>(args: ReadonlyArray<string>, use: (url: string) => Promise<A>): Promise<A> => {
  const child = start(args)
  try {
    for await (const line of createInterface(child.stdout)) {
      const [, url] = /^listening (\S+)$/.exec(line) ?? []
      if (url !== undefined) return await use(url)
    }
    throw new Error("the server did not say where it listens")
  } finally {
    child.kill()
  }
}

const runClient: Start = async (url, connections, signal) => {
  const child = start([...program("client"), url, "--connections", String(connections)], { signal })
  child.stdout.resume()
  const [code, killed] = await once(child, "exit")
  if (code !== 0) throw new Error(`expected the client to end in order, saw ${code ?? killed}`)
}

/** Says what failed, and returns whether anything did. */
const report = (who: string, results: ReadonlyArray<Result>, took: number): boolean => {
  const failed = results.filter(({ failure }) => failure !== undefined)
    .toSorted((a, b) => cases.indexOf(a.case) - cases.indexOf(b.case))
  const skipped = results.filter(({ skipped }) => skipped !== undefined)
  for (const { case: { id, title }, failure } of failed) console.log(`${who} ${id} ${title}: ${failure}`)
  for (const why of new Set(skipped.map(({ skipped }) => skipped))) {
    console.log(`${who}: ${skipped.filter((one) => one.skipped === why).length} skipped, ${why}`)
  }
  const passed = results.length - failed.length - skipped.length
  console.log(`${who}: ${passed} passed, ${failed.length} failed, in ${(took / 1000).toFixed(1)} s`)
  return failed.length > 0
}

const wanted = [...values.section ?? [], ...values.case ?? []]
const cases = all.filter(({ id }) => wanted.length === 0 || wanted.some((one) => `${id}.`.startsWith(`${one}.`)))
const program = programs[values.peer]
const roles = values.url === undefined ? values.role ?? ["server", "client"] : ["server"]
if (cases.length === 0 || program === undefined || roles.some((role) => role !== "server" && role !== "client")) {
  console.error("no such case, peer or role")
  process.exit(2)
}

for (const role of roles) {
  const started = performance.now()
  const results = role === "client"
    ? await againstClient(runClient, cases)
    : values.url === undefined
    ? await withServer(program("server"), (url) => againstServer(url, cases))
    : await againstServer(values.url, cases)
  if (report(role, results, performance.now() - started)) process.exitCode = 1
}
