/// C strings and arrays of them that stay where they are until the owner goes: the child of a clone reads them.
final class CStrings {
    private var strings: [UnsafeMutablePointer<CChar>] = []
    private var arrays: [UnsafeMutablePointer<UnsafePointer<CChar>?>] = []

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

    deinit {
        for string in strings { string.deallocate() }
        for array in arrays { array.deallocate() }
    }
}
