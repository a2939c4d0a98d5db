/** The host of an address as Node takes it: a zone must have the name of its interface, and a number would be ignored. */
import * as NetAddress from "effect/net/NetAddress"
import { networkInterfaces } from "node:os"

export const nativeHost = (address: NetAddress.InetAddress): string =>
  NetAddress.isInetAddressV6(address) && address.scopeId !== 0
    ? NetAddress.formatNativeHost(
      address,
      NetAddress.scopeIdsFromInterfaces(Object.entries(networkInterfaces())),
      process.platform
    )
    : NetAddress.formatHost(address)
