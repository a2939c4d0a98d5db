export * as Multicast from "./Multicast.ts"
export * as Udp from "./Udp.ts"
export { UdpInfo } from "./UdpInfo.ts"
