/** The load balancers, by the configurations of the example, on ports of our own. */
import { Effect } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { folder, write } from "../peers/support.ts"
import { run } from "../support/processes.ts"

const examples = path.resolve(import.meta.dirname, "../../src/gateway")

const balancers = {
  haproxy: {
    file: "haproxy.cfg",
    args: (file: string) => ["-db", "-f", file]
  },
  nginx: {
    file: "nginx.conf",
    args: (
      file: string,
      folder: string
    ) => ["-c", file, "-p", folder, "-g", "daemon off; master_process off; pid nginx.pid; error_log stderr; user root;"]
  }
}

export type Name = keyof typeof balancers

export const isName = (name: string): name is Name => Object.hasOwn(balancers, name)

/** Begins to listen at the first port, in front of the others. The last server of the configuration stands for all that follow. */
export const balancer = Effect.fnUntraced(function*(name: Name, [front, ...backs]: ReadonlyArray<number>) {
  const { args, file } = balancers[name]
  const directory = yield* folder(name)
  const lines = fs.readFileSync(path.join(examples, file), "utf8").split("\n").flatMap((line) => {
    if (line.includes(":8081")) return []
    if (!line.includes(":8082")) return [line.replace(":8080", `:${front}`)]
    return backs.map((port, n) => line.replace("two", `server${n}`).replace(":8082", `:${port}`))
  })
  const { says } = yield* run(name, args(write(directory, file, lines.join("\n")), directory))
  return says
})
