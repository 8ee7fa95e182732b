"""Facts that a run may keep, the tags that a model would give them, and a question in other words; for memory.py."""

# Written in this order, one after the other: the fact; tags without a look at a question; a question in other words.
ENGLISH: list[tuple[str, tuple[str, ...], str]] = [
    (
        "The Acme contract can be terminated with 90 days' written notice.",
        ("cancel", "end agreement", "notice period"),
        "How long in advance do we have to cancel our agreement with Acme?",
    ),
    (
        "Invoices are approved by Dana Whitfield above 5,000 euros.",
        ("sign off", "payment limit", "bills", "accounting"),
        "Who signs off expensive bills?",
    ),
    (
        "The staging database is restored from production every Sunday at 03:00.",
        ("refresh", "copy", "test environment"),
        "When is the test environment refreshed?",
    ),
    (
        "The user wants reports in British spelling with dates as 3 March 2026.",
        ("style", "format", "language", "writing"),
        "What writing style does the person prefer?",
    ),
    (
        "scripts/ship.sh deploys the web shop and must be run from the main branch.",
        ("release", "publish", "roll out"),
        "How do we publish a new release of the store?",
    ),
    (
        "The heat pump in building C failed twice in January because of a frozen condensate drain.",
        ("heating", "breakdown", "broken", "ice"),
        "Why did the heating break down?",
    ),
    (
        "Customer churn in 2025 was 4.2 percent, measured on annual plans only.",
        ("cancellations", "attrition", "lost customers"),
        "How many clients left us last year?",
    ),
    (
        "The API rejects more than 100 requests a minute per token with status 429.",
        ("rate limit", "throttling", "quota"),
        "What is the rate limit of the interface?",
    ),
    (
        "Unit tests need the environment variable TZ=UTC, or the calendar tests fail.",
        ("timezone", "flaky", "clock"),
        "Which timezone makes the suite pass?",
    ),
    (
        "The office in Lyon closes on 15 August and between Christmas and New Year.",
        ("holiday", "shut", "vacation"),
        "On which holidays is the French site shut?",
    ),
    (
        "Passwords for the lab machines are kept in the vault under infra/lab.",
        ("credentials", "login", "secrets"),
        "Where are the credentials to log in to the lab?",
    ),
    (
        "The CSV export uses semicolons and a decimal comma.",
        ("delimiter", "separator", "file format", "columns"),
        "Which delimiter separates columns in the exported file?",
    ),
    (
        "Order numbers start with the year, such as 2026-00417.",
        ("identifier", "purchase", "id format"),
        "What does a purchase identifier look like?",
    ),
    (
        "Maria Ortega replaced Tom Berg as head of procurement in May 2026.",
        ("purchasing", "manager", "successor", "boss"),
        "Who is the boss of purchasing now?",
    ),
    (
        "The warranty of the forklifts is void if they are serviced by anybody but Linde.",
        ("guarantee", "maintenance", "repair"),
        "Does a repair by a third party affect the guarantee?",
    ),
    (
        "The newsletter goes to 18,300 subscribers, of which 41 percent open it.",
        ("mailing", "readers", "audience", "email"),
        "How big is the audience of our mailing?",
    ),
    (
        "Images on the site must be at most 200 KB and in WebP.",
        ("pictures", "photos", "size limit", "compression"),
        "How large may photos be?",
    ),
    (
        "The parser is slow because it copies the token list at every level.",
        ("performance", "bottleneck", "profiling", "speed"),
        "What is the performance bottleneck?",
    ),
    (
        "Board meetings are recorded, and minutes are sent within five working days.",
        ("protocol", "notes", "directors"),
        "How fast do the directors get the written notes?",
    ),
    (
        "The rent of the warehouse rises with the consumer price index each April.",
        ("lease", "inflation", "increase", "cost"),
        "How is the lease adjusted to inflation?",
    ),
    (
        "The mobile app supports Android 10 and later.",
        ("phone", "minimum version", "compatibility", "requirements"),
        "What is the oldest phone system that is compatible?",
    ),
    (
        "Refunds are paid back within 14 days to the original card.",
        ("money back", "return", "reimbursement"),
        "How long until a customer has their money back after a return?",
    ),
    (
        "The survey of 2024 had 1,204 respondents and a margin of error of 2.8 points.",
        ("sample size", "poll", "participants"),
        "How many people took part in the poll?",
    ),
    (
        "Backups older than 35 days are deleted automatically.",
        ("retention", "archive", "snapshots", "purge"),
        "What is the retention of snapshots?",
    ),
    (
        "The chemical store may hold at most 50 litres of acetone.",
        ("solvent", "hazardous", "storage limit", "safety"),
        "How much solvent are we allowed to keep?",
    ),
    (
        "Trainees are paid 1,150 euros a month in their first year.",
        ("apprentice", "salary", "wage", "pay"),
        "What salary does an apprentice earn?",
    ),
]

KOREAN: list[tuple[str, tuple[str, ...], str]] = [
    (
        "아크메 계약은 90일 전에 서면으로 통보하면 해지할 수 있다.",
        ("계약 종료", "취소", "통지 기간"),
        "아크메와의 거래를 취소하려면 얼마나 먼저 알려야 하나요?",
    ),
    ("오백만 원이 넘는 청구서는 김서연 팀장이 결재한다.", ("승인", "지출", "한도", "회계"), "큰 지출은 누가 승인해?"),
    ("보고서는 매월 5일까지 재무팀에 낸다.", ("제출", "마감", "기한"), "제출 마감은 언제예요?"),
    ("서울 사무소는 12월 31일에 문을 닫는다.", ("휴무", "휴일", "쉬는 날"), "연말에 쉬는 날이 언제인가요?"),
    (
        "운영 서버의 백업은 35일이 지나면 자동으로 지워진다.",
        ("보관 기간", "삭제", "스냅샷"),
        "스냅샷 보관 기간은 얼마나 돼?",
    ),
    ("신입 사원의 수습 기간은 석 달이다.", ("인턴", "채용", "입사", "시용"), "입사하고 시용은 얼마나 하나요?"),
    (
        "창고 임대료는 해마다 4월에 물가만큼 오른다.",
        ("월세", "인상", "집세", "물가 상승"),
        "월세 인상은 무엇을 따르나요?",
    ),
    ("교통비는 영수증이 있어야 돌려받는다.", ("출장", "환급", "경비", "정산"), "출장 경비 정산에 필요한 것은?"),
    (
        "이 프로젝트의 시험은 TZ=Asia/Seoul 에서만 통과한다.",
        ("시간대", "테스트", "환경 변수"),
        "테스트가 통과하려면 시간대를 어떻게 해야 해?",
    ),
    ("환불은 14일 안에 원래 카드로 해 준다.", ("반품", "돈", "취소"), "반품하면 돈을 언제 받나요?"),
    ("앱은 안드로이드 10 이상에서 돈다.", ("휴대폰", "최소 사양", "지원 버전", "호환"), "휴대폰 최소 사양은?"),
    ("구매부장은 2026년 5월에 박지훈으로 바뀌었다.", ("책임자", "조달", "담당", "후임"), "지금 조달 책임자는 누구야?"),
    ("사진은 200KB보다 작아야 한다.", ("이미지", "용량", "크기 제한"), "이미지 용량은 얼마까지 되나요?"),
    ("회의록은 닷새 안에 이사들에게 보낸다.", ("의사록", "이사회", "배포"), "이사회 의사록은 며칠 만에 배포돼?"),
]

# Others that lie beside them in the same store, so that a common word finds many.
BESIDE: list[tuple[str, tuple[str, ...]]] = [
    ("The Birch contract runs until 2029 and renews by itself for two years.", ("agreement", "renewal")),
    ("The Cedar contract has a price cap of 3 percent a year.", ("agreement", "price increase")),
    ("Production runs on PostgreSQL 16 in the region eu-west-3.", ("database", "hosting")),
    ("The web shop is translated into German, French and Polish.", ("languages", "store")),
    ("The head of sales is Li Na; she travels in March.", ("manager", "boss")),
    ("Status reports go to the person by e-mail each Friday.", ("weekly", "mail")),
    ("The lab has a 3D printer and two microscopes.", ("equipment", "machines")),
    ("Customer support answers within four hours on working days.", ("help desk", "response time")),
    ("The API is described in docs/openapi.yaml.", ("interface", "documentation")),
    ("Building A was repainted in 2024.", ("renovation",)),
    ("The test suite takes eleven minutes on the build server.", ("duration", "speed")),
    ("The CSV import skips rows without an order number.", ("file format", "loading")),
    ("Android builds are signed with the key in CI.", ("phone", "app")),
    ("The office in Ghent moved to Dok Noord in 2025.", ("address", "site")),
    ("Trainees spend one day a week at school.", ("apprentice", "training")),
    ("The forklifts are charged at night.", ("battery", "power")),
    ("Photos of products are taken by Studio Halm.", ("pictures", "agency")),
    ("The board has seven members.", ("directors",)),
    ("Backups are made each night at 01:30.", ("snapshots", "copy")),
    ("The warehouse has 4,200 pallet places.", ("storage", "capacity")),
    ("세다르 계약은 2029년까지이고 자동으로 연장된다.", ("갱신", "연장")),
    ("운영 서버는 서울 리전에 있다.", ("호스팅", "위치")),
    ("재무팀장은 이하늘이다.", ("책임자", "회계")),
    ("회의는 화요일 오전에 한다.", ("일정", "미팅")),
    ("창고는 김포에 있다.", ("물류", "주소")),
    ("시험 서버는 일요일에 다시 만들어진다.", ("테스트", "복사")),
    ("카드 결제는 토스를 쓴다.", ("지불", "결제 대행")),
    ("보고서는 한국어와 영어로 쓴다.", ("언어", "번역")),
]
