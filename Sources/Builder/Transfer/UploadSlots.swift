/// How many transfers run at once; the others wait for their turn.
actor UploadSlots {
    private var free: Int
    private var queue: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { free = count }

    func acquire() async {
        if free > 0 {
            free -= 1
            return
        }
        // Whoever releases hands its slot on.
        await withCheckedContinuation { queue.append($0) }
    }

    func release() {
        if queue.isEmpty { free += 1 } else { queue.removeFirst().resume() }
    }
}
