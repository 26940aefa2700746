/// Which entries of a list belong to a tree, and how they lie in its folders.
struct ContextSelection {
    private let listing: ContextListing
    /// The folder that is the tree's root.
    private let top: Int
    private var isInside: [Bool]
    private var isShown: [Bool]

    init(_ listing: ContextListing, top: Int) {
        self.listing = listing
        self.top = top
        isInside = Array(repeating: false, count: listing.count)
        isShown = isInside
    }

    var shown: [Int] { isShown.indices.filter { isShown[$0] } }

    /// - Parameter isIgnored: by path below the root; `nil`: nothing is. A folder that holds something which is not is kept.
    mutating func show(isIgnored: (([UInt8]) -> Bool)?) {
        // Entries of one folder come one after the other, mostly.
        var folder: (place: Int, path: [UInt8]) = (top, [])
        for place in 1..<max(1, listing.count) {
            let parent = listing.parent(of: place)
            guard parent == top || isInside[parent] else { continue }
            isInside[place] = true
            if listing.isPassed(place) { continue }
            if let isIgnored {
                if folder.place != parent { folder = (parent, listing.path(of: parent, below: top)) }
                let name = listing.name(of: place)
                if isIgnored(folder.path.isEmpty ? Array(name) : folder.path + [0x2f] + name) { continue }
            }
            show(place)
        }
    }

    private mutating func show(_ place: Int) {
        var place = place
        while place != top, !isShown[place] {
            isShown[place] = true
            place = listing.parent(of: place)
        }
    }

    /// - Returns: what each folder holds, by name; `starts` has one place more than the list.
    mutating func grouped() -> (starts: [UInt32], children: [UInt32]) {
        while true {
            let (starts, children) = sorted()
            // Of equal names the last one counts.
            let hidden = listing.places.flatMap { folder in
                let range = Int(starts[folder])..<Int(starts[folder + 1])
                return range.dropLast().filter { listing.hasSameName(Int(children[$0]), as: Int(children[$0 + 1])) }
            }
            if hidden.isEmpty { return (starts, children) }
            for place in hidden { isShown[Int(children[place])] = false }
        }
    }

    private func sorted() -> (starts: [UInt32], children: [UInt32]) {
        var starts = [UInt32](repeating: 0, count: listing.count + 1)
        for place in listing.places where isShown[place] { starts[listing.parent(of: place) + 1] += 1 }
        for place in listing.places { starts[place + 1] += starts[place] }
        var ends = starts
        var children = [UInt32](repeating: 0, count: Int(starts.last ?? 0))
        for place in listing.places where isShown[place] {
            let parent = listing.parent(of: place)
            children[Int(ends[parent])] = UInt32(place)
            ends[parent] += 1
        }
        for folder in listing.places {
            let range = Int(starts[folder])..<Int(starts[folder + 1])
            let isSorted = range.dropLast().allSatisfy {
                listing.hasName(Int(children[$0]), before: Int(children[$0 + 1]))
            }
            if isSorted { continue }
            children[range].sort { one, other in
                let (one, other) = (Int(one), Int(other))
                return listing.hasName(one, before: other) || !listing.hasName(other, before: one) && one < other
            }
        }
        return (starts, children)
    }
}
