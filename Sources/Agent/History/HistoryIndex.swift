/// Which builds there are, how much room they take, and which have to go. Without a disk.
struct HistoryIndex: Sendable, Equatable {
    struct Entry: Sendable, Equatable {
        let id: BuildID
        /// Of its record and its log.
        var bytes: Int64
        /// What is not over is never removed.
        var isOver: Bool
    }

    struct Limits: Sendable, Equatable {
        /// Of each repository.
        var builds = 200
        /// Of all repositories, in bytes.
        var bytes: Int64 = 500 << 20
    }

    /// By folder, sorted by name and so by time; none is empty.
    private(set) var folders: [String: [Entry]] = [:]
    private(set) var bytes: Int64 = 0

    func builds(in folder: String) -> [Entry] { folders[folder] ?? [] }

    func folder(of id: BuildID) -> String? {
        folders.first { Self.position(of: id, in: $0.value).isThere }?.key
    }

    mutating func set(_ entry: Entry, in folder: String) {
        let place = Self.position(of: entry.id, in: folders[folder] ?? [])
        if place.isThere {
            bytes += entry.bytes - (folders[folder]?[place.index].bytes ?? 0)
            folders[folder]?[place.index] = entry
        } else {
            bytes += entry.bytes
            folders[folder, default: []].insert(entry, at: place.index)
        }
    }

    mutating func remove(_ id: BuildID, in folder: String) {
        let place = Self.position(of: id, in: folders[folder] ?? [])
        guard place.isThere else { return }
        bytes -= folders[folder]?.remove(at: place.index).bytes ?? 0
        if folders[folder]?.isEmpty == true { folders[folder] = nil }
    }

    /// Takes out what is too much, the oldest first, and tells what.
    ///
    /// - Parameter others: bytes that files of other kinds take.
    mutating func takeExcess(over limits: Limits, others: Int64 = 0) -> [(folder: String, id: BuildID)] {
        var taken: [(folder: String, id: BuildID)] = []
        func take(_ id: BuildID, _ folder: String) {
            remove(id, in: folder)
            taken.append((folder, id))
        }
        for (folder, entries) in folders where entries.count > limits.builds {
            for entry in entries.filter(\.isOver).prefix(entries.count - limits.builds) { take(entry.id, folder) }
        }
        while bytes + others > limits.bytes {
            let oldest = folders.compactMap { folder, entries in entries.first(where: \.isOver).map { ($0.id, folder) }
            }
            .min { $0.0 < $1.0 }
            guard let (id, folder) = oldest else { break }
            take(id, folder)
        }
        return taken
    }

    private static func position(of id: BuildID, in entries: [Entry]) -> (index: Int, isThere: Bool) {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return (low, low < entries.count && entries[low].id == id)
    }
}
