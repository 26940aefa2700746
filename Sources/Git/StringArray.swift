import CGit2
import Glibc

/// A `git_strarray` over copies of Swift strings, freed when dropped.
struct StringArray: ~Copyable {
    private let storage: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        storage = .allocate(capacity: max(1, strings.count))
        storage.initialize(repeating: nil, count: max(1, strings.count))
        for (index, string) in strings.enumerated() { storage[index] = strdup(string) }
    }

    deinit {
        for index in 0..<count { free(storage[index]) }
        storage.deallocate()
    }

    /// Valid as long as this value.
    var value: git_strarray { git_strarray(strings: storage, count: count) }
}
