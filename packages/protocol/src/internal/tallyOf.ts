/** What has passed each layer of a connection so far, from the top down. */
import type { LayerTransfer } from "../reports/DataTransferReport.ts"
import type { Life } from "./LiveConnection.ts"

export const tallyOf = ({ top }: Life): ReadonlyArray<LayerTransfer> => {
  const layers: Array<LayerTransfer> = []
  top.tally(layers)
  return layers
}
