import HTTP

extension RegistryHost {
    /// Reads a list that comes in pages (`Link: <…>; rel="next"`), to its end.
    ///
    /// A registry decides where the next page is, so the way there is bounded: pages at other hosts, pages that were
    /// already read and long runs of pages without anything new are errors, because the list would be incomplete.
    ///
    /// - Parameters:
    ///   - call: the first page.
    ///   - take: reads a page; returns how many entries were new.
    /// - Returns: `false` when the registry knows no such list (404).
    nonisolated func pages(
        _ call: Call, _ failing: String, _ take: (HTTPResponse) throws(RegistryError) -> Int
    ) async throws(RegistryError) -> Bool {
        var call = call
        call.limit = Limits.tagPage
        let place = call.place
        func endless(_ cause: String) -> RegistryError {
            RegistryError(.invalidContent, failing, place: place, cause: cause)
        }
        var current = try await address(of: call)
        var visited: Set<String> = [current.text]
        var barren = 0
        for _ in 0..<Limits.pages {
            let request = call
            let isConditional = call.headers["If-None-Match"] != nil
            let response = try await retry.run { () async throws(RegistryError) in
                let response = try await send(request)
                guard
                    response.head.isSuccess || response.status == 404 || isConditional && response.status == 304
                else {
                    throw failure(response, failing, place)
                }
                return response
            }
            if response.status == 404 {
                if visited.count == 1 { return false }
                throw failure(response, failing, place)
            }
            barren = try take(response) == 0 ? barren + 1 : 0
            guard let link = LinkHeader.next(response.headers.all("Link")) else { return true }
            let next = try answers.url(link, for: .page, from: current, place: place)
            guard visited.insert(next.url.text).inserted else { throw endless("its pages lead back to one of them") }
            guard barren < Limits.emptyPages else { throw endless("\(barren) pages in a row bring nothing new") }
            current = next.url
            call.url = next
            // What a page was when it was read says nothing of another page.
            call.headers.remove("If-None-Match")
        }
        throw endless("it has more than \(Limits.pages) pages")
    }
}
