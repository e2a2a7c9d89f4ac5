import { graphql } from 'relay-runtime';

export const recentLogs = graphql`
  query queriesRecentLogsQuery($take: Int!) {
    logs(take: $take) {
      next
      nodes {
        id
        type
        typeDescription
        ...queriesWho_log
      }
    }
  }
`;

export const who = graphql`
  fragment queriesWho_log on Log {
    userName
    user {
      userId
      email
    }
  }
`;

export const tail = graphql`
  subscription queriesTailSubscription($from: ID) {
    logs(from: $from) {
      id
      ...queriesWho_log
    }
  }
`;
