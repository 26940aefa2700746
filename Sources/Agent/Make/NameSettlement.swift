import Builder
package import OCI
import Registry

/// An image and the names that lead to it.
package struct NamedImage: Sendable {
    package let names: [ImageLocation]
    package let digest: Digest
    package let annotations: [String: String]
    /// What went another way than was decided.
    package let notes: [String]
}

/// Gives an image its names. They were chosen when a cycle decided, which may be long ago: each is asked for again right
/// before it is written and right after it, and what the registry says counts.
///
/// - A name that is given once is never taken from an image: where another has it, the series goes on with the next number.
/// - Where the other image was made from the same content, by another agent, it is the image.
/// - Where the other was made from a newer commit, this one is not named any more: it would bring the older content back.
/// - A name that moves is not moved from a newer image to an older one.
///
/// The deciding name goes last, so that all others are there when it is; a cycle looks for it alone.
struct NameSettlement: Sendable {
    let builder: any ImageBuilding
    let turns: NamingTurns
    let order: BuildOrder
    let progress: @Sendable (BuildEvent) -> Void

    /// Numbers that are tried.
    private static let mostRounds = 100

    func give(_ image: any PushableImage) async throws(BuildError) -> NamedImage {
        try await image.upload(to: order.plan.locations, progress: progress)
        return try await turns.hold(Set(order.plan.names.map(\.repository))) { () async throws(BuildError) in
            var naming = Naming(settlement: self, image: image, plan: order.plan)
            for _ in 0..<Self.mostRounds {
                if let named = try await naming.round() { return named }
            }
            throw BuildError(
                .registry, "cannot find a free name for the image", place: order.pipeline.origin,
                cause: "\(Self.mostRounds) tags up to \(naming.plan.names.last?.tag ?? "") were taken meanwhile",
                hint: "see who else pushes to \(order.plan.names.last.map { "\($0.repository)" } ?? "the repository")")
        }
    }

    /// Whose a name is, where another image has it.
    fileprivate enum Verdict: Sendable {
        /// An image of the same content.
        case same
        /// An image of a newer commit.
        case superseded
        /// Another image; the series goes on.
        case next(NumberedTag)
        case taken
        /// It stays with a newer image.
        case left
        /// It may be moved.
        case free
    }

    fileprivate func verdict(_ name: PlannedName, held holder: TagHolder, than created: String?) -> Verdict {
        let isNewer = order.origin.isNewer(holder.annotations, than: created)
        switch name.rule {
        // What it led to when that was decided was judged then.
        case .moving(let from): return isNewer && holder.digest != from ? .left : .free
        case .once, .numbered:
            if let key = holder.annotations[Annotation.contentKey], order.keys.contains(key) { return .same }
            if isNewer { return .superseded }
            if case .numbered(let tag) = name.rule { return .next(tag) }
            return .taken
        }
    }
}

/// One image's way through the names.
private struct Naming {
    let settlement: NameSettlement
    var image: any PushableImage
    var plan: NamePlan
    var notes: [String] = []
    /// Whether a name leads to the image.
    private var isNamed = false

    init(settlement: NameSettlement, image: any PushableImage, plan: NamePlan) {
        self.settlement = settlement
        self.image = image
        self.plan = plan
    }

    /// - Returns: `nil` when another round has to be made, with other names or another image.
    mutating func round() async throws(BuildError) -> NamedImage? {
        // What stands in the way is better known before the first name is written.
        if plan.names.count > 1 {
            for name in plan.names where !name.isMoving {
                guard let holder = try await settlement.builder.holder(of: name.location),
                    holder.digest != image.digest
                else { continue }
                switch try await meet(holder, at: name, isLost: false) {
                case .goOn: continue
                case .again: return nil
                case .end(let named): return named
                }
            }
        }
        var given: [ImageLocation] = []
        var digest = image.digest
        for (index, name) in plan.names.enumerated() {
            try Task.checkBuildCancellation()
            try settlement.turns.checkPermit()
            let (settlement, created) = (settlement, image.annotations[Annotation.created])
            let claim = try await image.claim(name.location) { holder in
                if case .free = settlement.verdict(name, held: holder, than: created) { false } else { true }
            }
            Failpoint.pass("named:\(index + 1)")
            switch claim {
            case .given:
                isNamed = true
                given.append(name.location)
                settlement.progress(.manifestPushed(image.digest, to: name.location))
            case .kept(let holder, let isLost):
                switch try await meet(holder, at: name, isLost: isLost) {
                case .goOn:
                    let isDeciding = index == plan.names.count - 1
                    if !name.isMoving || isDeciding { given.append(name.location) }
                    if isDeciding { digest = holder.digest }
                case .again: return nil
                case .end(let named): return named
                }
            }
        }
        return NamedImage(names: given, digest: digest, annotations: image.annotations, notes: notes)
    }

    private enum Step {
        case goOn
        case again
        case end(NamedImage)
    }

    /// Another image has a name.
    private mutating func meet(
        _ holder: TagHolder, at name: PlannedName, isLost: Bool
    ) async throws(BuildError) -> Step {
        let how = isLost ? "was given to another image at the same moment" : "was given to another image meanwhile"
        switch settlement.verdict(name, held: holder, than: image.annotations[Annotation.created]) {
        case .free: return .goOn
        case .left:
            notes.append("\(name.location) is not moved: it leads to an image of a newer commit")
            return .goOn
        case .same:
            if isNamed { return .goOn }
            notes.append("\(name.location) was made from the same content meanwhile; that image is taken")
            image = try await settlement.builder.stored(holder.digest, in: name.repository, annotations: [:])
            try await image.upload(to: plan.locations, progress: settlement.progress)
            isNamed = true
            return .again
        case .superseded:
            notes.append("the image is not named: \(name.location) was made from a newer commit meanwhile")
            return .end(
                NamedImage(
                    names: [name.location], digest: holder.digest, annotations: holder.annotations, notes: notes))
        case .next(let tag):
            plan = plan.raising(tag)
            notes.append("\(name.location) \(how), so the image is \(tag.next.tag)")
            return .again
        case .taken:
            throw BuildError(
                .registry, "cannot push \(name.location)", place: settlement.order.pipeline.origin,
                cause: "the tag belongs to another image",
                hint: "write a tag that is free, a template such as {branch}-{commit.short}, or 'mutable: true'")
        }
    }
}
