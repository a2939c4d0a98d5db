import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { ProxyCredentials } from "../ProxyCredentials.ts"

/** The schemes, and their ports if a URL has none. */
const ports = { http: 80, https: 443, socks5: 1080, socks5h: 1080 } as const

export interface ProxyUrl {
  readonly scheme: keyof typeof ports
  readonly endpoint: Endpoint.Endpoint
  readonly credentials: ProxyCredentials | undefined
}

const url = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:([^@]*)@)?(\[[^\]]*\]|[^@:/?#]+)(?::(\d{1,5}))?\/?$/i

const isScheme = (text: string): text is keyof typeof ports => text in ports

const credentialsIn = (userinfo: string): ProxyCredentials | undefined => {
  const [username, ...password] = userinfo.split(":")
  try {
    return {
      username: decodeURIComponent(username),
      password: Redacted.make(decodeURIComponent(password.join(":")))
    }
  } catch {
    return undefined
  }
}

/** Reads the URL of a proxy; without a scheme it is an HTTP proxy. What is wrong is told without a word of the URL. */
export const proxyUrl = (text: string): Result.Result<ProxyUrl, string> => {
  const match = url.exec(text)
  if (match === null) return Result.fail("expected SCHEME://USER:PASSWORD@HOST:PORT")
  const [, name = "http", userinfo, host, port] = match
  const scheme = name.toLowerCase()
  if (!isScheme(scheme)) return Result.fail(`the scheme is none of ${Object.keys(ports).join(", ")}`)
  const endpoint = Endpoint.make(`tcp://${host}:${port ?? ports[scheme]}`)
  if (Result.isFailure(endpoint)) return Result.fail("there is no usable host and port in it")
  const credentials = userinfo === undefined ? undefined : credentialsIn(userinfo)
  return userinfo !== undefined && credentials === undefined
    ? Result.fail("the user information is not percent-encoded UTF-8")
    : Result.succeed({ scheme, endpoint: endpoint.success, credentials })
}
