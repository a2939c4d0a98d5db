/**
 * Another commit beside this one, built: the packages are its own, the benchmarks are those of this tree, so that both run the same.
 * The folder is removed when the process ends, also if it is told to.
 */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { temporary } from "../temporary.ts"
import type { Tree } from "./Processes.ts"

const scope = "@wirestack"
const root = fileURLToPath(new URL("../../../../", import.meta.url))

const git = (...args: ReadonlyArray<string>) =>
  execFileSync("git", args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] })

/** What is installed here, except for the packages of the workspace. */
const install = (folder: string): void => {
  const [own, installed] = [folder, root].map((tree) => join(tree, "node_modules"))
  mkdirSync(join(own, scope), { recursive: true })
  for (const name of readdirSync(installed)) {
    if (name !== scope && !name.startsWith(".")) symlinkSync(join(installed, name), join(own, name))
  }
  const packages = join(folder, "packages")
  for (const name of readdirSync(packages)) symlinkSync(join(packages, name), join(own, scope, name))
}

/** Checks out and builds what `ref` names. */
export const add = (ref: string): Tree => {
  const folder = temporary()
  process.once("exit", () => git("worktree", "prune"))
  git("worktree", "add", "--detach", folder, ref)
  const benchmarks = join("packages", "benchmarks")
  rmSync(join(folder, benchmarks), { recursive: true, force: true })
  cpSync(join(root, benchmarks), join(folder, benchmarks), {
    recursive: true,
    filter: (path) => !["dist", "node_modules"].includes(basename(path))
  })
  install(folder)
  execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", benchmarks], {
    cwd: folder,
    stdio: "inherit"
  })
  return pathToFileURL(join(folder, benchmarks, "dist/micro/"))
}
