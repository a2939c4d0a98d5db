/** The browser that was launched for the tests. */
import { Effect } from "effect"
import { type BrowserContext, type BrowserContextOptions, chromium as Chromium } from "playwright-core"
import { inject } from "vitest"
import { missing } from "../interop/support.ts"

const endpoint: string | undefined = inject("chromium")

/** Whether the tests are skipped, since there is none. */
export const skip = missing(endpoint !== undefined, "chromium")

/** A profile of its own in it. */
export const profile = (options: BrowserContextOptions = {}) =>
  Effect.acquireRelease(
    Effect.promise(async (): Promise<BrowserContext> => {
      const browser = await Chromium.connect(endpoint!)
      return browser.newContext(options)
    }),
    (context) => Effect.promise(() => context.browser()!.close())
  )

/** One that takes the certificates of tests. */
export const chromium = profile({ ignoreHTTPSErrors: true })

/** A new page of a profile, and what goes wrong in it. */
export const watched = async (context: BrowserContext) => {
  const errors: Array<string> = []
  const page = await context.newPage()
  page.on("pageerror", (error) => errors.push(String(error)))
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()))
  page.setDefaultTimeout(10_000)
  return { page, errors }
}
