import Glibc

/// C strings and arrays of them that stay where they are until the owner goes: the child of a clone reads them.
final class CStrings {
    private var strings: [UnsafeMutablePointer<CChar>] = []
    private var arrays: [UnsafeMutablePointer<UnsafePointer<CChar>?>] = []
    private var blocks: [(start: UnsafeMutableRawPointer, size: Int)] = []

    /// - Returns: a copy of the text, ended by NUL. Text behind a NUL is lost; callers refuse such text first.
    func add(_ text: String) -> UnsafePointer<CChar> {
        let characters = text.utf8CString
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: characters.count)
        for (index, character) in characters.enumerated() { copy[index] = character }
        strings.append(copy)
        return UnsafePointer(copy)
    }

    /// - Returns: an array of the texts, ended by a null pointer.
    func add(_ texts: [String]) -> UnsafePointer<UnsafePointer<CChar>?> {
        let array = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: texts.count + 1)
        for (index, text) in texts.enumerated() { array[index] = add(text) }
        array[texts.count] = nil
        arrays.append(array)
        return UnsafePointer(array)
    }

    /// - Returns: a copy of the bytes, overwritten when the owner goes.
    func add(_ bytes: [UInt8]) -> UnsafeRawPointer {
        let copy = UnsafeMutableRawPointer.allocate(byteCount: bytes.count + 1, alignment: 1)
        bytes.withUnsafeBytes { buffer in
            if let start = buffer.baseAddress { copy.copyMemory(from: start, byteCount: buffer.count) }
        }
        blocks.append((copy, bytes.count + 1))
        return UnsafeRawPointer(copy)
    }

    deinit {
        for string in strings { string.deallocate() }
        for array in arrays { array.deallocate() }
        for block in blocks {
            explicit_bzero(block.start, block.size)
            block.start.deallocate()
        }
    }
}
