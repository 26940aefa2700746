import Blocking
import Glibc
import Synchronization

/// What a directory in overlay format holds, in the order in which a layer tells of it: a folder before what is in it, names in
/// the order of their bytes.
///
/// To look at a file takes several calls into the kernel, and to read a small one takes three more: other threads do that for
/// the next ones meanwhile.
struct LayerEntries: ~Copyable {
    struct Entry: Sendable {
        let host: HostPath
        /// Within the layer.
        let path: [UInt8]
        let name: FileName
        let node: Node
        var attributes: [String: [UInt8]] = [:]
        /// What a link leads to.
        var target: [UInt8] = []
        /// A small file's; `nil` when it is still to be read.
        var content: [UInt8]?
    }

    enum Item: Sendable {
        /// What the layers below have in this folder is not seen.
        case opaque(path: [UInt8], modified: Timestamp)
        case entry(Entry)
    }

    fileprivate struct Place: Sendable {
        let host: HostPath
        let path: [UInt8]
        let name: FileName
    }

    private struct Folder {
        let place: Place
        let names: [(name: FileName, isFolder: Bool)]
        var position = 0
        /// The mode to put back.
        let closed: UInt32?
    }

    private let ownership: OwnershipMode
    /// Where the walk is, and the folder that it goes into next.
    private var folders: [Folder] = []
    private var next: Place?
    /// Batches that are looked at, in their order.
    private var running: [LookedAt] = []
    private var ready: [Item] = []

    /// Enough to be worth the wake-up of a thread.
    private static let batchSize = 64
    fileprivate static let largestContent: Int64 = 16 << 10

    init(_ directory: HostPath, _ ownership: OwnershipMode) {
        self.ownership = ownership
        next = Place(host: directory, path: [], name: [])
    }

    deinit {
        for batch in running { batch.wait() }
        for folder in folders.reversed() {
            if let mode = folder.closed { try? FileCalls.setMode(folder.place.host, mode) }
        }
    }

    /// - Returns: `nil` at the end.
    mutating func item() throws(BuildError) -> Item? {
        while ready.isEmpty {
            // What its owner may not look into is opened and closed again folder by folder: nothing is looked at ahead.
            let isAhead = ownership == .apply
            while running.count < (isAhead ? ProcessorCount.value + 1 : 1) {
                let steps = try walk(isAhead ? Self.batchSize : 1)
                if steps.isEmpty { break }
                let batch = LookedAt(steps, ownership)
                running.append(batch)
                if steps.count < Self.batchSize { batch.run() } else { startBlocking { batch.run() } }
            }
            if running.isEmpty { return nil }
            let batch = running.removeFirst()
            batch.wait()
            ready = try batch.items().reversed()
        }
        return ready.popLast()
    }

    /// The next steps of the walk; fewer than wanted at its end.
    private mutating func walk(_ count: Int) throws(BuildError) -> [LookedAt.Step] {
        var steps: [LookedAt.Step] = []
        while steps.count < count {
            if let place = next.take() {
                if FileCalls.isOpaque(place.host), !place.path.isEmpty {
                    let modified = try Node.read(place.host, .apply)?.modified ?? .now
                    steps.append(.opaque(path: place.path, modified: modified))
                }
                let closed = try FileCalls.unlock(place.host, ownership)
                do throws(BuildError) {
                    let names = try FileCalls.namesAndKinds(in: place.host)
                    folders.append(Folder(place: place, names: names, closed: closed))
                } catch {
                    if let closed { try FileCalls.setMode(place.host, closed) }
                    throw error
                }
                continue
            }
            guard let folder = folders.last else { break }
            guard folder.position < folder.names.count else {
                folders.removeLast()
                if let closed = folder.closed { try FileCalls.setMode(folder.place.host, closed) }
                continue
            }
            folders[folders.count - 1].position += 1
            let (name, isFolder) = folder.names[folder.position]
            let path = folder.place.path.isEmpty ? name : folder.place.path + [0x2f] + name
            let place = Place(host: folder.place.host.appending(name), path: path, name: name)
            steps.append(.look(place))
            if isFolder { next = place }
        }
        return steps
    }
}

/// Some steps of the walk, and what was found there.
private final class LookedAt: Sendable {
    enum Step: Sendable {
        case opaque(path: [UInt8], modified: Timestamp)
        case look(LayerEntries.Place)
    }

    private let steps: [Step]
    private let ownership: OwnershipMode
    private let found = Mutex<Result<[LayerEntries.Item], BuildError>>(.success([]))
    private let isDone = Semaphore()

    init(_ steps: [Step], _ ownership: OwnershipMode) {
        self.steps = steps
        self.ownership = ownership
    }

    /// Called once, on any thread.
    func run() {
        let result = Result { () throws(BuildError) in
            var items: [LayerEntries.Item] = []
            items.reserveCapacity(steps.count)
            for step in steps {
                switch step {
                case .opaque(let path, let modified): items.append(.opaque(path: path, modified: modified))
                case .look(let place): if let entry = try look(at: place) { items.append(.entry(entry)) }
                }
            }
            return items
        }
        found.withLock { $0 = result }
        isDone.signal()
    }

    /// Waits once for the end of `run`.
    func wait() { isDone.wait() }

    func items() throws(BuildError) -> [LayerEntries.Item] { try found.withLock(\.self).get() }

    private func look(at place: LayerEntries.Place) throws(BuildError) -> LayerEntries.Entry? {
        guard let node = try Node.read(place.host, ownership) else { return nil }
        var entry = LayerEntries.Entry(host: place.host, path: place.path, name: place.name, node: node)
        if node.kind == .symlink {
            entry.target = try FileCalls.target(ofLink: place.host)
        } else if !node.isWhiteout, node.kind != .socket {
            entry.attributes = try FileCalls.attributes(of: place.host)
        }
        // Of a file with several names, only one brings the content.
        if node.kind == .file, node.links == 1, 1...LayerEntries.largestContent ~= node.size {
            entry.content = try FileContent.read(place.host, expecting: Int(node.size))
        }
        return entry
    }
}
