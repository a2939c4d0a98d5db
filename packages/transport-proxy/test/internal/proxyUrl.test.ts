import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result, Schema } from "effect"
import { proxyUrl } from "../../src/internal/proxyUrl.ts"

const schemes = Schema.Literals(["http", "https", "socks5", "socks5h"])

const encoded = (text: string): string | undefined => {
  try {
    return encodeURIComponent(text)
  } catch {
    return undefined
  }
}

describe("proxyUrl", () => {
  it("has a port for each scheme", () => {
    const portOf = (url: string) => {
      const { endpoint: { place } } = Result.getOrThrow(proxyUrl(url))
      return place._tag === "Tcp" ? place.port : undefined
    }
    const urls = [
      "proxy.example",
      "HTTP://proxy.example/",
      "https://[::1]",
      "socks5://proxy.example",
      "socks5h://[::1]:9"
    ]
    assert.deepStrictEqual(urls.map(portOf), [80, 80, 443, 1080, 9])
  })

  it.prop(
    "reads name and password as they were encoded",
    [schemes, Schema.String, Schema.String],
    ([scheme, name, pass]) => {
      const [username, password] = [encoded(name), encoded(pass)]
      if (username === undefined || password === undefined) return
      const url = Result.getOrThrow(proxyUrl(`${scheme}://${username}:${password}@proxy.example:1`))
      assert.strictEqual(url.scheme, scheme)
      assert.strictEqual(url.credentials?.username, name)
      assert.strictEqual(url.credentials && Redacted.value(url.credentials.password), pass)
    }
  )

  it.prop("any text is a URL, or is refused without being told", [Schema.String], ([text]) => {
    const url = proxyUrl(`ftp://me:${text}-s3cret-${text}@proxy.example`)
    assert(Result.isFailure(url))
    assert.notInclude(url.failure, "s3cret")
    proxyUrl(text)
  })
})
