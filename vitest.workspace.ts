import * as fs from "node:fs"
import * as path from "node:path"
import { defineConfig, type ViteUserConfig } from "vitest/config"
import { extract } from "./scripts/doctest.ts"

const packages = fs.readdirSync(path.join(import.meta.dirname, "packages"))
const conditions = ["@wirestack/source", "module", "node", "import", "default"]

/** Sources are resolved by the export condition: no build, no table of aliases. */
const project = (name: string, root: string, include: string, isolate = true, globalSetup: Array<string> = []) => ({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    name,
    root,
    include: [include],
    exclude: name in apart ? [] : Object.values(apart),
    testTimeout: 60_000,
    isolate,
    globalSetup
  }
})

/**
 * What takes long to start has projects and scripts of its own: `npm run browser`, `npm run cli`, `npm run peers`. They are there when they are
 * named: to leave them out by a filter would leave coverage without its root.
 */
const apart = { browser: "test/browser/**", "cli-processes": "test/processes/**", peers: "test/{interop,peers}/**" }

const isNamed = (name: keyof typeof apart): boolean => process.argv.includes(`--project=${name}`)

/** Launches the browser, once for all. */
const launch = path.join(import.meta.dirname, "packages/examples/test/browser/launch.ts")

/** Packages whose test files have a process each, as they keep files and servers for as long as it lives. The others share what they import. */
const alone = ["benchmarks", "endurance", "examples", "node"]

/** Tests start some hundred processes, and compile the same modules in each. */
process.env["NODE_COMPILE_CACHE"] ??= path.join(import.meta.dirname, "node_modules/.cache/compiled")

/** The one vitest configuration: a project per package, and one for the examples of the documentation. */
export default defineConfig((): ViteUserConfig => {
  extract()
  return {
    test: {
      // Many tests wait more than they work.
      maxWorkers: 3,
      projects: [
        ...packages.map((name) => project(name, `packages/${name}`, "test/**/*.test.ts", alone.includes(name))),
        ...isNamed("browser")
          ? [project("browser", "packages/examples", `${apart.browser}/*.test.ts`, true, [launch])]
          : [],
        ...isNamed("cli-processes")
          ? [project("cli-processes", "packages/cli", `${apart["cli-processes"]}/*.test.ts`)]
          : [],
        ...isNamed("peers") ? [project("peers", "packages/examples", `${apart.peers}/*.test.ts`)] : [],
        project("docs", ".doctest", "**/*.test.ts", false)
      ],
      coverage: {
        provider: "v8",
        reportOnFailure: true,
        include: ["packages/protocol/src/**", "packages/http/src/**", "packages/websocket/src/**"],
        exclude: ["packages/protocol/src/testing/**"],
        reporter: ["text", "json-summary", [`${import.meta.dirname}/scripts/coverage.ts`, {}]],
        thresholds: {
          "packages/protocol/src/**": { branches: 95 },
          "packages/http/src/**": { branches: 95 },
          "packages/websocket/src/**": { branches: 95 }
        }
      }
    }
  }
})
