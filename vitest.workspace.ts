import { defineConfig } from "vitest/config"

const packages = ["protocol", "transport-tcp", "transport-tls", "websocket", "examples"]
const conditions = ["@wirestack/source", "module", "node", "import", "default"]

/** The one vitest configuration: a project per package, sources resolved by the export condition. */
export default defineConfig({
  test: {
    projects: packages.map((name) => ({
      resolve: { conditions },
      ssr: { resolve: { conditions } },
      test: { name, root: `packages/${name}`, include: ["test/**/*.test.ts"], testTimeout: 20_000 }
    })),
    coverage: {
      provider: "v8",
      include: ["packages/protocol/src/**", "packages/websocket/src/**"],
      reporter: ["text", "json-summary"]
    }
  }
})
