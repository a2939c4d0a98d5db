/**
 * Puts back into the lockfile the optional packages of other platforms, with the versions their parents ask for.
 *
 * A registry that doesn't have them all makes `npm install` leave them out, and then `npm ci` refuses the lockfile, also
 * where it would never install them.
 */
import * as fs from "node:fs"
import * as path from "node:path"

interface Locked {
  readonly version?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly os?: ReadonlyArray<string>
  readonly cpu?: ReadonlyArray<string>
  readonly libc?: ReadonlyArray<string>
  readonly optionalDependencies?: Record<string, string>
}

const file = path.join(import.meta.dirname, "../package-lock.json")
const lock = JSON.parse(fs.readFileSync(file, "utf8")) as { packages: Record<string, Locked> }
const platform = /(?:^|[/-])(android|darwin|freebsd|linux|openharmony|win32)-([a-z0-9]+)(?:-(glibc|gnu|musl))?/

const added: Array<string> = []
for (const [parent, { dev, optionalDependencies = {} }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const key = `node_modules/${name}`
    if (lock.packages[key] !== undefined || lock.packages[`${parent}/${key}`] !== undefined) continue
    const [, os, cpu, abi] = platform.exec(name) ?? []
    if (os === undefined || !/^\d+\.\d+\.\d+$/.test(version)) continue
    const libc = os === "linux" && abi !== undefined ? { libc: [abi === "musl" ? "musl" : "glibc"] } : {}
    lock.packages[key] = { version, cpu: [cpu], ...(dev ? { dev } : {}), ...libc, optional: true, os: [os] }
    added.push(name)
  }
}

if (added.length > 0) {
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en"))
  fs.writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`)
}
console.log(`lockfile: ${added.length} packages put back`)
