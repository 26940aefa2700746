import TestSupport

/// What a RUN step does to files: each operation as shell text, and done to the model.
struct RunOperations {
    private(set) var tree: ModelTree
    let owner: (uid: Int, gid: Int)
    let hasOwners: Bool

    /// Folders that a step may work in: real ones, not those that the base's programs lie in.
    private var folders: [String] {
        tree.files.filter { $0.value.type == "d" && Self.isOurs($0.key) }.keys.sorted()
    }

    /// Files with one name only: what happens to the others depends on the file system below.
    private var files: [String] {
        let counts = Dictionary(grouping: tree.files.values, by: \.identity).mapValues(\.count)
        return tree.files.filter {
            $0.value.type == "f" && Self.isOurs($0.key) && counts[$0.value.identity] == 1
        }.keys.sorted()
    }

    /// What is written into a shell script without further thought.
    private static func isOurs(_ path: String) -> Bool {
        let top = path.split(separator: "/").first.map(String.init) ?? ""
        return !path.isEmpty && !["bin", "etc", "usr", "root", "proc", "sys", "dev"].contains(top)
            && path.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x7a).contains($0) || "/.-".utf8.contains($0)
            }
            && !path.utf8.contains(0x5c) && !path.utf8.contains(0x60)
    }

    init(tree: ModelTree, owner: (uid: Int, gid: Int), hasOwners: Bool) {
        self.tree = tree
        self.owner = owner
        self.hasOwners = hasOwners
    }

    private func holdsSharedFiles(_ path: String) -> Bool {
        let counts = Dictionary(grouping: tree.files.values, by: \.identity).mapValues(\.count)
        return tree.files.contains { $0.key.hasPrefix(path + "/") && (counts[$0.value.identity] ?? 1) > 1 }
    }

    mutating func add(_ numbers: inout SeededNumbers, name: String) -> [String] {
        guard owner.uid == 0 else {
            // Only /tmp is everybody's.
            tree.write("tmp/\(name)", "by \(owner.uid)\n", uid: owner.uid, gid: owner.gid)
            return ["echo by $(id -u) > /tmp/\(name)"]
        }
        let folder = numbers.pick(folders + [""])
        let path = ModelTree.join(folder, name)
        switch numbers.below(18) {
        case 0, 1:
            tree.write(path, "text of \(name)\n")
            return ["echo 'text of \(name)' > /\(path)"]
        case 2:
            let mode = numbers.pick([0o755, 0o700, 0o1777, 0o2775])
            tree.put(path, .directory(mode))
            return ["mkdir /\(path)", "chmod \(String(mode, radix: 8)) /\(path)"]
        case 3:
            let target = numbers.pick(["/etc/passwd", "nowhere", "../srv", name + "x"])
            tree.put(path, .symlink(target))
            return ["ln -s \(target) /\(path)"]
        case 4:
            guard !files.isEmpty else { return ["true"] }
            let file = numbers.pick(files)
            tree.link(path, to: file)
            return ["ln /\(file) /\(path)"]
        case 5:
            guard !files.isEmpty else { return ["true"] }
            let file = numbers.pick(files)
            tree.write(file, "more\n", appending: true)
            // Writing takes these bits away, also for root within a container.
            return ["echo more >> /\(file)"] + resetMode(of: file)
        case 6:
            guard !files.isEmpty else { return ["true"] }
            let (file, mode) = (numbers.pick(files), numbers.pick([0o600, 0o755, 0o4755, 0o2711]))
            tree.change(file) { $0.mode = mode }
            return ["chmod \(String(mode, radix: 8)) /\(file)"]
        case 7:
            guard hasOwners, !files.isEmpty else { return ["true"] }
            let file = numbers.pick(files)
            tree.change(file) { ($0.uid, $0.gid) = (42, 43) }
            return ["chown 42:43 /\(file)"] + resetMode(of: file)
        case 8:
            guard !files.isEmpty else { return ["true"] }
            let file = numbers.pick(files)
            tree.remove(file)
            return ["rm /\(file)"]
        case 9:
            let choices = folders.filter { $0.contains("/") || $0.hasPrefix("c") || $0.hasPrefix("n") }
            guard !choices.isEmpty else { return ["true"] }
            let gone = numbers.pick(choices)
            tree.remove(gone)
            switch numbers.below(4) {
            case 0: return ["rm -r /\(gone)"]
            case 1:
                tree.put(gone, .directory())
                tree.write(ModelTree.join(gone, "again"), "again\n")
                return ["rm -r /\(gone)", "mkdir /\(gone)", "echo again > /\(gone)/again"]
            case 2:
                tree.write(gone, "a file now\n")
                return ["rm -r /\(gone)", "echo a file now > /\(gone)"]
            default:
                tree.put(gone, .symlink("/srv"))
                return ["rm -r /\(gone)", "ln -s /srv /\(gone)"]
            }
        case 10:
            guard !files.isEmpty else { return ["true"] }
            let file = numbers.pick(files)
            tree.move(file, to: path)
            return ["mv /\(file) /\(path)"]
        case 11:
            let choices = folders.filter {
                ($0.contains("/") || $0.hasPrefix("c")) && !path.hasPrefix($0) && !holdsSharedFiles($0)
            }
            guard !choices.isEmpty else { return ["true"] }
            let moved = numbers.pick(choices)
            tree.move(moved, to: path)
            return ["mv /\(moved) /\(path)"]
        case 12:
            var fifo = ImageFile(type: "p")
            fifo.mode = 0o640
            tree.put(path, fifo)
            return ["mkfifo -m 640 /\(path)"]
        case 13:
            guard !files.isEmpty else { return ["true"] }
            let file = numbers.pick(files)
            tree.remove(file)
            tree.put(file, .directory())
            return ["rm /\(file)", "mkdir /\(file)"]
        case 14:
            tree.write(path, "")
            return ["touch /\(path)"]
        case 15:
            // Made and gone within the step.
            return ["echo x > /\(path)", "rm /\(path)"]
        case 16:
            guard !folders.isEmpty else { return ["true"] }
            let (changed, mode) = (numbers.pick(folders), numbers.pick([0o755, 0o750, 0o1777]))
            tree.change(changed) { $0.mode = mode }
            return ["chmod \(String(mode, radix: 8)) /\(changed)"]
        default:
            guard !files.isEmpty else { return ["true"] }
            let file = numbers.pick(files)
            // The same size, and within the same tick of the clock.
            let size = tree[file]?.content.count ?? 0
            guard size > 0, size < 200 else { return ["true"] }
            tree.change(file) { $0.content = [UInt8](repeating: 0x7a, count: size) }
            return [
                "head -c \(size) /dev/zero | tr '\\0' z > /\(file).new", "cat /\(file).new > /\(file)",
                "rm /\(file).new",
            ]
                + resetMode(of: file)
        }
    }

    /// Writing and chown may take setuid and setgid away; that is the kernel's business, so the step says what it wants.
    private mutating func resetMode(of file: String) -> [String] {
        let mode = (tree[file]?.mode ?? 0) & 0o777
        tree.change(file) { $0.mode = mode }
        return ["chmod \(String(mode, radix: 8)) /\(file)"]
    }
}
