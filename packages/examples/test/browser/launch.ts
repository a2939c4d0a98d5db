/** One Chromium for all files of tests, if there is one on this machine. */
import { chromium } from "playwright-core"
import type { TestProject } from "vitest/node"
import { which } from "../support/processes.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Where it listens for those that drive it. */
    readonly chromium: string
  }
}

export default async ({ provide }: TestProject): Promise<(() => Promise<void>) | undefined> => {
  const executablePath = which("chromium")
  if (executablePath === undefined) return undefined
  const server = await chromium.launchServer({
    executablePath,
    args: ["--no-sandbox", "--ignore-certificate-errors"],
    // Pages are kept when they are left, as for people.
    ignoreDefaultArgs: ["--disable-back-forward-cache"]
  })
  provide("chromium", server.wsEndpoint())
  return () => server.close()
}
