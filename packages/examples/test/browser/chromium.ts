/** The browser that was launched for the tests. */
import { Effect } from "effect"
import { type BrowserContext, chromium as Chromium } from "playwright-core"
import { inject } from "vitest"
import { missing } from "../interop/support.ts"

const endpoint: string | undefined = inject("chromium")

/** Whether the tests are skipped, since there is none. */
export const skip = missing(endpoint !== undefined, "chromium")

/** A profile of its own in it. */
export const chromium = Effect.acquireRelease(
  Effect.promise(async (): Promise<BrowserContext> => {
    const browser = await Chromium.connect(endpoint!)
    return browser.newContext({ ignoreHTTPSErrors: true })
  }),
  (context) => Effect.promise(() => context.browser()!.close())
)
