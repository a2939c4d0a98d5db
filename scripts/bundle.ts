/**
 * How large clients are in a browser: bundled with all they import, minified and compressed, ours beside Effect's own and beside that of
 * Socket.IO. Fails when our part has grown by more than a tenth of what was accepted.
 *
 *     npm run bundle
 */
import * as path from "node:path"
import { brotliCompressSync, gzipSync } from "node:zlib"
import { rolldown } from "rolldown"

interface Client {
  readonly title: string
  /** A module in `scripts/clients`. */
  readonly module: string
  /** Bytes of our part, minified and with gzip, as they were accepted. */
  readonly accepted?: number
}

const clients: ReadonlyArray<Client> = [
  { title: "typed client", module: "typed", accepted: 17_600 },
  { title: "typed client with a session", module: "session", accepted: 23_400 },
  { title: "Effect with a Schema, a Stream and a Layer", module: "effect" },
  { title: "socket.io-client", module: "socketio" }
]

/** The code of a client, minified, without what is left out. */
const bundled = async (module: string, external: ReadonlyArray<RegExp>): Promise<string> => {
  const bundle = await rolldown({
    input: path.join(import.meta.dirname, `clients/${module}.ts`),
    external: [...external],
    platform: "browser",
    resolve: { conditionNames: ["@wirestack/source", "browser", "import", "default"] }
  })
  const { output: [{ code }] } = await bundle.generate({ format: "esm", minify: true })
  await bundle.close()
  return code
}

const gzip = (code: string): number => gzipSync(code, { level: 9 }).length

const measure = async ({ accepted, module, title }: Client) => {
  const [all, without] = await Promise.all([bundled(module, []), bundled(module, [/^effect(\/|$)/])])
  return {
    title,
    accepted,
    minified: all.length,
    gzip: gzip(all),
    brotli: brotliCompressSync(all).length,
    ours: gzip(without)
  }
}

const kilobytes = (bytes: number): string => (bytes / 1_000).toFixed(1)

const row = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const sizes = await Promise.all(clients.map(measure))

console.log(row(["kB", "minified", "gzip", "brotli", "of the gzip, not Effect's"]))
console.log(row(["---", "---:", "---:", "---:", "---:"]))
for (const { brotli, gzip, minified, ours, title } of sizes) {
  console.log(row([title, ...[minified, gzip, brotli, ours].map(kilobytes)]))
}

for (const { accepted = Infinity, ours, title } of sizes) {
  if (ours <= 1.1 * accepted) continue
  console.error(
    `${title}: our part has ${ours} bytes with gzip, more than a tenth over the ${accepted} that were accepted`
  )
  process.exitCode = 1
}
