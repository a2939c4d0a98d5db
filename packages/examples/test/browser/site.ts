/** A site whose pages, and their workers, have the functions of `page/index.ts`. */
import { Effect } from "effect"
import { once } from "node:events"
import * as Http from "node:http"
import type * as Net from "node:net"
import * as path from "node:path"
import type { BrowserContext, Page } from "playwright-core"
import { rolldown } from "rolldown"
import type * as functions from "./page/index.ts"

type Functions = typeof functions

const folder = path.join(import.meta.dirname, "page")

/** The scripts of the site by their paths, with all that they import. */
const scripts = Effect.promise(async (): Promise<ReadonlyMap<string, string>> => {
  const bundle = await rolldown({
    input: { page: path.join(folder, "index.ts"), worker: path.join(folder, "worker.ts") },
    resolve: { conditionNames: ["@wirestack/source", "browser", "import", "default"] }
  })
  const { output } = await bundle.generate({ format: "esm" })
  await bundle.close()
  return new Map(output.flatMap((part) => part.type === "chunk" ? [[`/${part.fileName}`, part.code]] : []))
})

const html = `<!doctype html>
<title>A page</title>
<script type=module>
  import * as page from "/page.js"
  globalThis.page = page
</script>`

/** Serves the site in the scope, and gives its port. */
export const serveSite = Effect.gen(function*() {
  const all = yield* scripts
  const server = Http.createServer(({ url = "/" }, response) => {
    const script = all.get(url)
    response.writeHead(200, { "Content-Type": script === undefined ? "text/html" : "text/javascript" })
    response.end(script ?? html)
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening")),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  return (server.address() as Net.AddressInfo).port
})

/** A page of a site, once it has its functions. */
export const visit = (browser: BrowserContext, site: string): Effect.Effect<Page> =>
  Effect.promise(async () => {
    const page = await browser.newPage()
    await page.goto(site)
    await page.waitForFunction(() => "page" in globalThis)
    return page
  })

/** Does something in a page, or in a worker of it. */
export type Doing = <Name extends keyof Functions>(
  page: Page,
  name: Name,
  argument: Parameters<Functions[Name]>[0]
) => Effect.Effect<Awaited<ReturnType<Functions[Name]>>>

export const inPage: Doing = (page, name, argument) =>
  Effect.promise(() =>
    page.evaluate(([name, argument]) => (globalThis as any).page[name](argument), [name, argument] as const) as any
  )

export const inWorker: Doing = (page, name, argument) =>
  Effect.promise(() =>
    page.evaluate((message) =>
      new Promise((resolve, reject) => {
        const worker = new (globalThis as any).Worker("/worker.js", { type: "module" })
        worker.addEventListener("message", ({ data }: { readonly data: unknown }) => {
          worker.terminate()
          resolve(data)
        })
        worker.addEventListener("error", ({ message }: { readonly message: string }) => reject(new Error(message)))
        worker.postMessage(message)
      }), [name, argument] as const) as any
  )
