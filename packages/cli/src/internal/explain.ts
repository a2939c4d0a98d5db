/** A failure as one line for people, with the layer and the value in it, and what may help. */
import { ConnectError, type ConnectReason } from "@wirestack/protocol/ConnectError"
import type { AlertReceived, CertificateInvalid } from "@wirestack/transport-tls/TlsReason"
import { getUserMessage } from "effect/cli/CliError"

const statusHint = (status: number): string | undefined =>
  status === 401
    ? "who you are is said with --auth-file, or WIRESTACK_AUTH"
    : status >= 300 && status < 400
    ? "--redirects N follows"
    : undefined

const certificateHint = ({ code }: CertificateInvalid): string =>
  code === "hostname-mismatch"
    ? "--server-name NAME expects another name, and --insecure any"
    : "--ca FILE trusts an authority of yours, and --insecure anybody"

const alertHint = ({ alert }: AlertReceived): string | undefined =>
  alert === "certificate_required" ? "--cert and --key say who you are" : undefined

const hintOf = (reason: ConnectReason): string | undefined => {
  switch (reason._tag) {
    case "CertificateInvalid":
      return certificateHint(reason)
    case "NotTls":
      return "the server may speak without TLS: ws and tcp instead of wss and tls"
    case "AlertReceived":
      return alertHint(reason)
    case "NothingNegotiated":
      return "--subprotocol NAME offers one"
    case "UpgradeRejected":
      return statusHint(reason.status)
    default:
      return undefined
  }
}

export const explain = (error: unknown): string => {
  const message = error instanceof Error ? getUserMessage(error) ?? error.message : String(error)
  const hint = error instanceof ConnectError ? hintOf(error.reason) : undefined
  return `wirestack: ${message}${hint === undefined ? "" : `\n  hint: ${hint}`}`
}
