//! The template reader against a template that uses what ours may use.

use super::*;

const TEMPLATE: &str = r"
Parameters:
  Architecture: {Type: String, Default: arm64, AllowedValues: [arm64, x86_64]}
  Auth: {Type: String, Default: required}
  Origins: {Type: CommaDelimitedList, Default: 'https://a.example, https://b.example'}
  Concurrency: {Type: Number, Default: 20}
Conditions:
  Open: !Equals [!Ref Auth, 'off']
Globals:
  Function:
    Timeout: 10
    Environment:
      Variables:
        AUTH: !Ref Auth
        QUEUE_URL: !Ref Work
        TABLE: !Ref Items
        ONLY_OPEN: !If [Open, 'yes', !Ref 'AWS::NoValue']
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration: {AllowOrigins: !Ref Origins, AllowMethods: ['*']}
      DefaultRouteSettings: {ThrottlingBurstLimit: 5, ThrottlingRateLimit: 2}
  Work:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub '${AWS::StackName}-work'
      VisibilityTimeout: 60
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
  Dead:
    Type: AWS::SQS::Queue
    Properties:
      RedriveAllowPolicy:
        redrivePermission: byQueue
        sourceQueueArns: [!Sub 'arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-work']
  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      TimeToLiveSpecification: {AttributeName: expires_at, Enabled: true}
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
  WorkerRole:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyName: work
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: ['dynamodb:PutItem'], Resource: !GetAtt Items.Arn}
  Worker:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: worker}}
    Properties:
      CodeUri: ../functions/worker-folder
      Role: !GetAtt WorkerRole.Arn
      MemorySize: 256
      Environment: {Variables: {OWN: !Join ['-', [a, b]]}}
      Events:
        Post: {Type: HttpApi, Properties: {Path: /api/events, Method: post}}
        Rest: {Type: HttpApi}
        Queue:
          Type: SQS
          Properties:
            Queue: !GetAtt Work.Arn
            BatchSize: 10
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: !Ref Concurrency}
        Tick: {Type: Schedule, Properties: {Schedule: rate(1 minute), Input: '{}'}}
  Logs: {Type: AWS::Logs::LogGroup}
  Odd: {Type: AWS::Neptune::DBCluster}
  Unwanted: {Type: AWS::SQS::Queue, Condition: Open}
";

fn setting(parameters: &[(&str, &str)]) -> Setting {
    Setting {
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
        stack: "hookpost-local".to_owned(),
        sqs_endpoint: "http://127.0.0.1:9324".to_owned(),
        socket_endpoint: "ws://127.0.0.1:8003".to_owned(),
        api_endpoint: "http://127.0.0.1:8000".to_owned(),
        parameters: parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        local_defaults: BTreeMap::new(),
    }
}

fn read_with(parameters: &[(&str, &str)]) -> Plan {
    plan(TEMPLATE, &setting(parameters)).unwrap()
}

fn work_queue(plan: &Plan) -> &Queue {
    plan.queues
        .iter()
        .find(|queue| queue.logical_id == "Work")
        .unwrap()
}

#[test]
fn references_become_local_names_urls_and_arns() {
    let plan = read_with(&[]);
    let environment = &plan.functions[0].environment;
    assert_eq!(
        environment["QUEUE_URL"],
        "http://127.0.0.1:9324/000000000000/hookpost-local-work"
    );
    assert_eq!(environment["TABLE"], "hookpost-local-Items");
    assert_eq!(environment["OWN"], "a-b");
    assert_eq!(environment["AUTH"], "required");
    assert!(!environment.contains_key("ONLY_OPEN"));
    assert_eq!(
        work_queue(&plan).attributes["RedrivePolicy"],
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:hookpost-local-Dead","maxReceiveCount":3}"#
    );
}

#[test]
fn a_parameter_given_on_the_command_line_wins_and_moves_conditions() {
    let plan = read_with(&[("Auth", "off"), ("Concurrency", "7")]);
    assert_eq!(plan.functions[0].environment["ONLY_OPEN"], "yes");
    assert_eq!(plan.functions[0].sources[0].max_concurrency, Some(7));
    assert_eq!(plan.queues.len(), 3);
    assert_eq!(read_with(&[]).queues.len(), 2);
}

#[test]
fn a_local_default_replaces_the_templates_and_may_name_a_parameter_that_is_not_there() {
    let mut setting = setting(&[("Concurrency", "7")]);
    for (name, value) in [("Auth", "off"), ("Concurrency", "9"), ("Absent", "x")] {
        setting
            .local_defaults
            .insert(name.to_owned(), value.to_owned());
    }
    let plan = plan(TEMPLATE, &setting).unwrap();
    assert_eq!(plan.functions[0].environment["AUTH"], "off");
    assert_eq!(plan.functions[0].sources[0].max_concurrency, Some(7));
}

#[test]
fn an_unknown_or_disallowed_parameter_is_refused() {
    let unknown = plan(TEMPLATE, &setting(&[("Nope", "1")])).unwrap_err();
    assert!(unknown.to_string().contains("Nope"), "{unknown}");
    let disallowed = plan(TEMPLATE, &setting(&[("Architecture", "mips")])).unwrap_err();
    assert!(
        disallowed.to_string().contains("arm64, x86_64"),
        "{disallowed}"
    );
}

#[test]
fn a_function_has_its_routes_sources_schedules_and_role() {
    let plan = read_with(&[]);
    let worker = &plan.functions[0];
    assert_eq!((worker.binary.as_str(), worker.memory_mb), ("worker", 256));
    assert_eq!(worker.timeout, Duration::from_secs(10));
    let route = |method: &str, path: &str| Route {
        method: method.to_owned(),
        path: path.to_owned(),
    };
    assert_eq!(
        worker.routes,
        [route("POST", "/api/events"), route("ANY", "$default")]
    );
    assert_eq!(
        worker.sources,
        [QueueSource {
            queue_arn: work_queue(&plan).arn.clone(),
            batch_size: 10,
            window: Duration::ZERO,
            partial_responses: true,
            max_concurrency: Some(20),
        }]
    );
    let schedule = Schedule {
        every: Duration::from_secs(60),
        input: Some("{}".to_owned()),
    };
    assert_eq!(worker.schedules, [schedule]);
    let table = "arn:aws:dynamodb:us-east-1:000000000000:table/hookpost-local-Items";
    assert!(worker.policy.allows("dynamodb:PutItem", table));
    assert!(!worker.policy.allows("dynamodb:GetItem", table));
}

#[test]
fn the_api_takes_cors_and_throttling_from_the_template() {
    let api = read_with(&[]).api.unwrap();
    let cors = api.cors.unwrap();
    assert_eq!(
        cors.allow_origins,
        ["https://a.example", "https://b.example"]
    );
    assert_eq!(
        api.throttle,
        Some(Throttle {
            burst: 5.0,
            rate: 2.0
        })
    );
}

#[test]
fn tables_are_created_with_what_create_table_takes() {
    let plan = read_with(&[]);
    let table = &plan.tables[0];
    assert_eq!(table.ttl_attribute.as_deref(), Some("expires_at"));
    assert!(
        table
            .create
            .get("PointInTimeRecoverySpecification")
            .is_none()
    );
    assert_eq!(table.create["TableName"], "hookpost-local-Items");
}

#[test]
fn a_resource_type_that_nobody_knows_is_named_once_and_a_log_group_is_not() {
    let warnings = read_with(&[]).warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("AWS::Neptune::DBCluster"));
}
