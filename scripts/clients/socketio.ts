/** A client of Socket.IO that does as much; its messages have no types at runtime. */
import { io } from "socket.io-client"

const socket = io("wss://chat.example/")
socket.emit("say", { text: "hello" })
socket.on("said", ({ name, text }: { readonly name: string; readonly text: string }) => console.log(name, text))
