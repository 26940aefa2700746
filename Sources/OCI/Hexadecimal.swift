/// Lower-case digits, two a byte.
package func hexadecimal(_ bytes: [UInt8]) -> String {
    String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
        for (position, byte) in bytes.enumerated() {
            buffer[position * 2] = digit(byte >> 4)
            buffer[position * 2 + 1] = digit(byte & 15)
        }
        return bytes.count * 2
    }
}

private func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}
