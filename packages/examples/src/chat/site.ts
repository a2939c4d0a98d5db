/**
 * The pages of the chat, as they are served: the page itself, its styles, and its program, which is bundled when the server starts.
 *
 * Nothing comes from anywhere else, and the policy of the pages (CSP) allows nothing else: no script in the page, no style in an attribute,
 * no frame around it.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { rolldown } from "rolldown"

/** The headers of every answer. */
export const headers = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'"
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-cache"
}

/** Something that is served at a path. */
export interface Asset {
  readonly path: `/${string}`
  readonly type: string
  readonly text: string
}

const folder = `${import.meta.dirname}/page`

/** A program for browsers and all that it imports, as one module. */
export const bundled = (input: string): Effect.Effect<string> =>
  Effect.promise(async () => {
    const bundle = await rolldown({
      input,
      resolve: { conditionNames: ["@wirestack/source", "browser", "import", "default"] }
    })
    const { output: [{ code }] } = await bundle.generate({ format: "esm", minify: true })
    await bundle.close()
    return code
  })

/** All of them, read and bundled. */
export const assets = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = (at: Asset["path"], type: string, name: string) =>
    Effect.map(fs.readFileString(path.join(folder, name)), (text): Asset => ({ path: at, type, text }))
  return yield* Effect.all([
    file("/", "text/html; charset=utf-8", "index.html"),
    file("/tokens.css", "text/css; charset=utf-8", "tokens.css"),
    file("/chat.css", "text/css; charset=utf-8", "chat.css"),
    file("/icon.svg", "image/svg+xml", "icon.svg"),
    Effect.map(
      bundled(path.join(folder, "main.ts")),
      (text): Asset => ({ path: "/chat.js", type: "text/javascript; charset=utf-8", text })
    )
  ])
})
