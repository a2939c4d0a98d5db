/** What has passed a layer of one kind of connection, and is not written down yet. */
import type { LayerTransfer } from "../../reports/DataTransferReport.ts"
import * as attribute from "./attributes.ts"
import * as instruments from "./instruments.ts"
import type { Attributes } from "./Observer.ts"
import type { Series } from "./Series.ts"

const directions = ["received", "sent"] as const

export class Account {
  readonly received = { messages: 0, bytes: 0 }
  readonly sent = { messages: 0, bytes: 0 }
  dropped = 0
  private readonly attributes: Attributes

  constructor(attributes: Attributes) {
    this.attributes = attributes
  }

  /** Has series from the beginning for what such a layer counts. */
  begin(series: Series, counted: LayerTransfer): void {
    for (const direction of directions) {
      const { bytes, messages } = counted[direction]
      if (messages !== undefined) series.add(instruments.messages, this.in(direction), 0)
      if (bytes !== undefined) series.add(instruments.bytes, this.in(direction), 0)
    }
    if (counted.dropped !== undefined) series.add(instruments.dropped, this.attributes, 0)
  }

  settle(series: Series): void {
    for (const direction of directions) {
      const amount = this[direction]
      if (amount.messages > 0) series.add(instruments.messages, this.in(direction), amount.messages)
      if (amount.bytes > 0) series.add(instruments.bytes, this.in(direction), amount.bytes)
      amount.messages = amount.bytes = 0
    }
    if (this.dropped > 0) series.add(instruments.dropped, this.attributes, this.dropped)
    this.dropped = 0
  }

  private in(direction: typeof directions[number]): Attributes {
    return { ...this.attributes, [attribute.direction]: attribute.directions[direction] }
  }
}
